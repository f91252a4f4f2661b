"""Preprocessed data for a trainer that is not of this package: it holds no label that the fold hides.

Such a trainer may read whatever lies in nnU-Net's folders. So it gets folders of its own, in which there is nothing but
the annotated training scans and the validation scans of one fold.

Stock nnU-Net's plans know hidden labels in one way: CT is clipped and normalized by the intensities of the foreground
of all scans of ``imagesTr``. Spacing, patch and network follow from the images alone. Where the fold hides labels,
these intensities are extracted again from the fold's own scans, by nnU-Net's extractor, and the scans are preprocessed
again. Plans of ``mass_nnunet plan`` know no label.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import link_or_copy, read_json, write_json
from mass_nnunet.data.paths import data_folders_in, dataset_folder
from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.data.splits import SPLITS_JSON, Fold, load_fold
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.env import temporary_environment

from .job import ModelName

INTENSITIES = "foreground_intensity_properties_per_channel"
"""Key of the plans and of the fingerprint."""
FINGERPRINT = "dataset_fingerprint.json"
_LABEL_FREE = {
    "NoNormalization",
    "RGBTo01Normalization",
    "RescaleTo01Normalization",
    "ZScoreNormalization",
}
"""nnU-Net's normalizations that do not use ``INTENSITIES``."""
_ENDINGS = (".b2nd", "_seg.b2nd", ".pkl", ".npz", ".npy", "_seg.npy")
"""Endings of the files of a preprocessed scan, in nnU-Net's formats."""


def knows_hidden_labels(plans: dict[str, Any], configuration: str, raw: RawDataset, fold: Fold) -> bool:
    """Whether scans that were preprocessed with these plans depend on labels that the fold hides."""
    schemes = PlansManager(plans).get_configuration(configuration).normalization_schemes
    hidden = [case for case in fold.unlabelled if raw.label(TRAINING, case) is not None]
    return "mass" not in plans and bool(hidden) and not set(schemes) <= _LABEL_FREE


def check_fold(raw: RawDataset, fold: Fold, method: str) -> None:
    """Make sure that a trainer that is not of this package can be trained on a fold.

    Raises:
        UserError: the fold has no annotated training or validation scan, or scans that are annotated in part.
    """
    remedy = f"take {method} out of the grid"
    if not fold.train or not fold.val:
        what = "training" if not fold.train else "validation"
        raise UserError(f"{raw.name} has no annotated {what} scan in the fold, which {method} needs: {remedy}")
    if fold.sparse > 1 or fold.annotated:
        raise UserError(
            f"{raw.name} has scans that are annotated in part, and {method}, which is not of this package, would take "
            f"what is not annotated for background, or see hidden slices: {remedy}"
        )


def check_arrays(raw: RawDataset, plans: dict[str, Any], configuration: str, fold: Fold, remedy: str) -> None:
    """Make sure that the scans of a fold are preprocessed, where they are not to be preprocessed again.

    Raises:
        UserError: one is not.
    """
    if knows_hidden_labels(plans, configuration, raw, fold):
        return
    arrays = _arrays(raw, plans, configuration)
    for case in (*fold.train, *fold.val):
        if not (arrays / f"{case}.pkl").is_file():
            raise UserError(f"{arrays} has no {case}.pkl: {remedy}")


def _arrays(raw: RawDataset, plans: dict[str, Any], configuration: str) -> Path:
    return dataset_folder("preprocessed", raw.id) / PlansManager(plans).get_configuration(configuration).data_identifier


def isolate(model: ModelName, *, dataset: int, folder: str, cost: str) -> None:
    """Make nnU-Net's folders for the training of one fold.

    Args:
        model: the model to train; its trainer and its device make no difference.
        dataset: id of the dataset.
        folder: folder for nnU-Net's folders ``raw`` and ``preprocessed``; those of other datasets stay.
        cost: JSON file to write when everything is there.
    """
    raw, source = RawDataset.load(dataset), dataset_folder("preprocessed", dataset)
    its_fold, content = load_fold(source, model.fold), read_json(source / f"{model.plans}.json", "plan again")
    cases = [*its_fold.train, *its_fold.val]
    target = Path(folder) / "preprocessed" / raw.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(Path(folder) / "raw" / raw.name, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copyfile(source / DATASET_JSON, target / DATASET_JSON)
    # A trainer that ignores the number of the fold finds no other one.
    splits: list[dict[str, list[str]]] = [{"train": [], "val": []} for _ in range(model.fold)]
    write_json(target / SPLITS_JSON, [*splits, {"train": list(its_fold.train), "val": list(its_fold.val)}])
    fingerprint = read_json(source / FINGERPRINT, "plan again")
    if knows_hidden_labels(content, model.configuration, raw, its_fold):
        _preprocess(raw, cases, Path(folder), content, model)
        fingerprint = read_json(target / FINGERPRINT, "run again")
    else:
        arrays = _arrays(raw, content, model.configuration)
        names = {f"{case}{ending}" for case in cases for ending in _ENDINGS}
        for file in arrays.iterdir():
            if file.name in names:
                link_or_copy(file, target / arrays.name / file.name)
        write_json(target / f"{model.plans}.json", content)
    plans = read_json(target / f"{model.plans}.json", "run again")
    write_json(target / FINGERPRINT, fingerprint | {INTENSITIES: plans[INTENSITIES]})
    write_json(Path(cost), {"scans": len(cases)})


def _preprocess(raw: RawDataset, cases: Sequence[str], folder: Path, plans: dict[str, Any], model: ModelName) -> None:
    """Let nnU-Net extract the intensities of some scans, and preprocess them by these plans: it sees no others."""
    view = folder / "raw" / raw.name
    for case in cases:
        for file in (*raw.images(TRAINING, case), raw.label_path(TRAINING, case)):
            link_or_copy(file, view / file.relative_to(raw.folder))
    described = {key: value for key, value in raw.content.items() if key != "dataset"}  # nnU-Net's own list of files
    write_json(view / DATASET_JSON, described | {"numTraining": len(cases)})
    with temporary_environment(data_folders_in(folder)):
        fingerprint = DatasetFingerprintExtractor(raw.id, 1).run(overwrite_existing=True)
        known = {str(channel): values for channel, values in fingerprint[INTENSITIES].items()}
        write_json(folder / "preprocessed" / raw.name / f"{model.plans}.json", plans | {INTENSITIES: known})
        preprocess_dataset(raw.id, model.plans, [model.configuration], [1])
    shutil.rmtree(view)
    shutil.rmtree(folder / "preprocessed" / raw.name / "gt_segmentations")
