"""Folds of a raw dataset: its patients, sampled for validation and for the annotated part of the training."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from mass_nnunet.errors import UserError

from .annotated import ANNOTATED_JSON
from .raw import TEST, TRAINING, UNLABELLED, RawDataset
from .splits import Fold, check_overlap


def make_folds(
    dataset: RawDataset,
    label_rates: Sequence[float],
    seeds: int,
    val_fraction: float,
    *,
    unlabelled: bool = False,
    sparse: int = 1,
) -> list[Fold]:
    """Folds of one dataset: for each seed, one fold for each label rate, in the order of ``label_rates``.

    Patients are sampled, not scans: all scans of a patient in ``imagesTr`` are labelled together, and no scan of a
    validation patient is in training, with or without labels. For one seed the validation patients are the same at
    every rate, and scans that are labelled at one rate are labelled at all higher ones. The sample depends only on the
    dataset's patients, the seed and ``val_fraction``.

    Patients with a scan that is annotated in part are never validated on: nnU-Net's validation would count what was not
    annotated as background. So the sample depends on ``annotated.json``, too.

    Args:
        dataset: the raw dataset; scans of ``imagesTs`` are in no fold.
        label_rates: shares of the training patients that are labelled; at least one patient always is.
        seeds: number of random samples; the seeds are 0, 1, ...
        val_fraction: share of the patients of ``imagesTr`` to validate on; at least one.
        unlabelled: whether all labels are hidden from training, at every rate. Validation has its labels. It is so
            anyway for a dataset of scans in ``imagesUn`` alone, which has no validation cases.
        sparse: n, where every n-th slice of the labelled scans is annotated, and the others are unknown in training.

    Raises:
        UserError: an option out of range, too few patients, a test patient with scans to train on, or an
            ``annotated.json`` that is wrong.
    """
    _check_options(label_rates, seeds, val_fraction, sparse)
    patients = dataset.patients()
    scans, extra = dataset.cases(TRAINING), dataset.cases(UNLABELLED)
    check_test_patients(dataset, patients, [*scans, *extra])
    everyone = sorted({patients[case] for case in scans})
    hides = unlabelled or not everyone
    annotated = dataset.annotated()
    in_part = {patients[case] for case in scans if case in annotated}
    if hides and not (scans or extra):
        raise UserError(f"{dataset.folder} holds no scan to train on: put scans without labels into {UNLABELLED}")
    if not hides:
        _check_training_patients(dataset, everyone, in_part)
    val_count = max(0, min(max(1, round(val_fraction * len(everyone))), len(everyone) - 1))
    folds = []
    for seed in range(seeds):
        shuffled = [everyone[i] for i in np.random.default_rng(seed).permutation(len(everyone))]
        val_patients = set([patient for patient in shuffled if patient not in in_part][:val_count])
        training = [patient for patient in shuffled if patient not in val_patients]
        for rate in label_rates:
            labelled = set() if hides else set(training[: max(1, round(rate * len(training)))])
            train = [case for case in scans if patients[case] in labelled]
            val = [case for case in scans if patients[case] in val_patients]
            hidden = [case for case in scans if patients[case] not in labelled | val_patients]
            never = [case for case in extra if patients[case] not in val_patients]
            known = {case: annotated[case] for case in train if case in annotated}
            fold = Fold(tuple(train), tuple(val), tuple(sorted(hidden + never)), rate, seed, known, sparse)
            check_overlap(fold, patients, dataset.name)
            folds.append(fold)
    return folds


def check_test_patients(dataset: RawDataset, patients: Mapping[str, str], training: Sequence[str]) -> None:
    """Make sure that no patient of ``imagesTs`` has a scan among those to train or to validate on.

    Args:
        dataset: the raw dataset.
        patients: patient of each case.
        training: scans to train or to validate on.

    Raises:
        UserError: one has.
    """
    tested = {patients[case]: case for case in dataset.cases(TEST)}
    for case in training:
        if patients[case] in tested:
            raise UserError(
                f"{dataset.folder}: {case} is there to train on, but patient {patients[case]} is in {TEST} "
                f"({tested[patients[case]]}): convert the dataset again, or move one of them"
            )


def _check_options(label_rates: Sequence[float], seeds: int, val_fraction: float, sparse: int) -> None:
    for rate in label_rates:
        if not 0 < rate <= 1:
            raise UserError(f"--label-rates {rate:g} is no share of the training patients: give 0 < rate <= 1")
    if not label_rates or len(set(label_rates)) < len(label_rates):
        raise UserError("--label-rates needs at least one rate, and each only once")
    if seeds < 1:
        raise UserError(f"--seeds {seeds} gives no fold: at least 1 is needed")
    if sparse < 1:
        raise UserError(f"--sparse {sparse} is no number of slices: give 1 for all, 2 for every second one, ...")
    if not 0 < val_fraction < 1:
        raise UserError(f"--val-fraction {val_fraction:g} is no share of the patients: give 0 < fraction < 1")


def _check_training_patients(dataset: RawDataset, everyone: Collection[str], in_part: Collection[str]) -> None:
    """Make sure that there is a patient to train on and one to validate on.

    Args:
        dataset: the raw dataset, for messages.
        everyone: the patients of ``imagesTr``.
        in_part: those of them that have a scan that is annotated in part.

    Raises:
        UserError: there is not.
    """
    if len(everyone) < 2:
        raise UserError(
            f"{dataset.folder / TRAINING} has scans of {len(everyone)} patient: a split needs at least two, "
            f"one to train on and one to validate on"
        )
    if set(everyone) <= set(in_part):
        raise UserError(
            f"{dataset.folder / ANNOTATED_JSON}: each patient of {TRAINING} has a scan that is annotated in part, and "
            "none can be validated on: add a patient with all structures annotated"
        )
