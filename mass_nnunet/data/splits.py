"""The folds in ``splits_final.json``: labelled, unlabelled and validation cases."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mass_nnunet.errors import UserError, shortened

from .annotated import ANNOTATED_JSON, Annotated
from .files import read_json
from .raw import TEST, TRAINING, UNLABELLED, RawDataset

SPLITS_JSON = "splits_final.json"
"""Name that nnU-Net looks for in the dataset's folder in nnUNet_preprocessed."""
_REMEDY = "make it with `mass_nnunet split`, for all datasets of the group together"


@dataclass(frozen=True)
class Fold:
    """One entry of ``splits_final.json``. Stock nnU-Net reads ``train`` and ``val`` and ignores the rest."""

    train: tuple[str, ...]
    """Cases whose labels may be read in training."""
    val: tuple[str, ...]
    unlabelled: tuple[str, ...]
    """Training cases whose labels are hidden or do not exist."""
    label_rate: float
    """Share of the training patients that are labelled, as asked for; 0 < label_rate <= 1.

    It is that of the group: a dataset without annotated training scans has it, too.
    """
    seed: int
    annotated: Annotated = field(default_factory=dict)
    """Names of the annotated structures of the cases of ``train`` that are annotated in part; a structure that is not
    among them is unknown in that case."""
    sparse: int = 1
    """Every n-th slice of the cases of ``train`` is annotated, the others are unknown in training; 1 for all slices."""

    def as_entry(self) -> dict[str, Any]:
        """The fold as an entry of ``splits_final.json``; ``annotated`` and ``sparse`` only where they say something."""
        entry = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        entry["annotated"] = {case: list(names) for case, names in self.annotated.items()}
        usual = {"annotated": {}, "sparse": 1}
        return {key: value for key, value in entry.items() if key not in usual or value != usual[key]}


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
    if hides and not (scans or extra):
        raise UserError(f"{dataset.folder} holds no scan to train on: put scans without labels into {UNLABELLED}")
    if len(everyone) < 2 and not hides:
        raise UserError(
            f"{dataset.folder / TRAINING} has scans of {len(everyone)} patient: a split needs at least two, "
            f"one to train on and one to validate on"
        )
    annotated = dataset.annotated()
    in_part = {patients[case] for case in scans if case in annotated}
    if everyone and not hides and in_part.issuperset(everyone):
        raise UserError(
            f"{dataset.folder / ANNOTATED_JSON}: each patient of {TRAINING} has a scan that is annotated in part, and "
            "none can be validated on: add a patient with all structures annotated"
        )
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


def check_overlap(fold: Fold, patients: Mapping[str, str], where: str) -> None:
    """Make sure that training sees no validation patient and no hidden label.

    Args:
        fold: the fold to check.
        patients: patient of each case.
        where: name of the file or dataset, for the message.

    Raises:
        UserError: a case is there twice, or both labelled and unlabelled, or a validation patient has a scan in
            training.
    """
    for part in ("train", "val", "unlabelled"):
        if twice := sorted(case for case, times in Counter(getattr(fold, part)).items() if times > 1):
            raise UserError(f"{where}: {twice[0]} is twice in {part}: run `mass_nnunet split` again")
    if both := sorted(set(fold.train) & set(fold.unlabelled)):
        raise UserError(f"{where}: {both[0]} is both labelled and unlabelled: run `mass_nnunet split` again")
    validated = {patients[case] for case in fold.val}
    for case in (*fold.train, *fold.unlabelled):
        if patients[case] in validated:
            raise UserError(
                f"{where}: {case} is in training, but its patient {patients[case]} is validated on: "
                f"run `mass_nnunet split` again"
            )


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


def load_fold(dataset_folder: Path, fold: int | str) -> Fold:
    """Read one fold of a dataset.

    Args:
        dataset_folder: the dataset's folder in nnUNet_preprocessed.
        fold: number of the fold. nnU-Net's fold ``all`` is not supported, because it hides no labels.

    Raises:
        UserError: there are no splits, this package did not make them, the fold does not exist, or a case is in two of
            its parts.
    """
    path, entries = read_entries(dataset_folder)
    if not isinstance(fold, int) or not 0 <= fold < len(entries):
        known = f"folds 0-{len(entries) - 1}" if entries else "none"
        raise UserError(f"fold {fold} does not exist in {path}, which has {known}: {_REMEDY}")
    entry = entries[fold]
    if absent := [key for key in ("train", "val", "unlabelled", "label_rate", "seed") if key not in entry]:
        raise UserError(f"fold {fold} in {path} lacks {absent[0]!r}, as in splits that nnU-Net made: {_REMEDY}")
    cases = {name: tuple(entry[name]) for name in ("train", "val", "unlabelled")}
    annotated = {case: tuple(names) for case, names in entry.get("annotated", {}).items()}
    rate, seed, sparse = entry["label_rate"], entry["seed"], entry.get("sparse", 1)
    found = Fold(**cases, label_rate=rate, seed=seed, annotated=annotated, sparse=sparse)
    check_overlap(found, {case: case for part in cases.values() for case in part}, f"fold {fold} in {path}")
    return found


def find_fold(dataset_folder: Path, label_rate: float, seed: int) -> int:
    """Number of the fold with this label rate and seed.

    Args:
        dataset_folder: the dataset's folder in nnUNet_preprocessed.
        label_rate: label rate of the fold.
        seed: seed of the fold.

    Raises:
        UserError: there are no splits, or no fold has this label rate and seed.
    """
    path, entries = read_entries(dataset_folder)
    for number, entry in enumerate(entries):
        if entry.get("seed") == seed and math.isclose(entry.get("label_rate", 0), label_rate):
            return number
    raise UserError(f"{path} has no fold with label rate {label_rate:g} and seed {seed}: {_REMEDY}")


def read_entries(dataset_folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Path and content of a dataset's splits, which may be nnU-Net's own.

    Raises:
        UserError: there are none, or an entry is of another form.
    """
    path = Path(dataset_folder) / SPLITS_JSON
    entries = read_json(path, _REMEDY)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f'{path} is not of the form [{{"train": [...], "val": [...], ...}}, ...]: {_REMEDY}')
    for number, entry in enumerate(entries):
        for key, has_form in _FORMS.items():
            if key in entry and not has_form(entry[key]):
                shown = shortened(entry[key])
                raise UserError(f"fold {number} in {path} has {key} {shown}, which is of another form: {_REMEDY}")
    return path, entries


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_annotated(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_are_names, value.values()))


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1


def _is_number_from(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


_FORMS: dict[str, Callable[[Any], bool]] = {
    "train": _are_names,
    "val": _are_names,
    "unlabelled": _are_names,
    "label_rate": _is_rate,
    "seed": _is_number_from(0),
    "annotated": _is_annotated,
    "sparse": _is_number_from(1),
}


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
