"""What a training reads, checked before nnU-Net's trainer writes anything: plans, splits, arrays and their labels."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import read_json
from mass_nnunet.data.group_plans import check_form
from mass_nnunet.data.names import label_name
from mass_nnunet.data.outdated import changed_scans, check_fold, check_scans, named, raw_dataset
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TRAINING
from mass_nnunet.data.regions import ORDER, classes_of, regions_of
from mass_nnunet.data.splits import SPLITS_JSON, Fold, load_fold
from mass_nnunet.errors import UserError, shortened
from mass_nnunet.labels import IGNORE
from mass_nnunet.runtime.exclusive import check_free
from mass_nnunet.training.loaders import label_file, outside_folder, unlabelled_folder
from mass_nnunet.training.possible import PossibleClasses, possible_classes

OUTSIDE = -1
"""nnU-Net's label of what it masks out when it crops a scan."""


_NEEDED = ("data_identifier", "patch_size", "spacing", "batch_size", "architecture")
"""Entries of a configuration without which nnU-Net cannot read it."""


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset of a training, as ``mass_nnunet plan`` left it in nnUNet_preprocessed.

    Attributes:
        folder: of the dataset.
        plans: content of its plans.
        dataset_json: content of its dataset.json.
        arrays: folder of nnU-Net's preprocessed scans.
        remedy: the command that plans it, with all others of its group.
    """

    folder: Path
    plans: dict[str, Any]
    dataset_json: dict[str, Any]
    arrays: Path
    remedy: str

    def fold(self, number: int | str) -> Fold:
        """A fold of the dataset's splits.

        Raises:
            UserError: there are no splits, or there is no such fold.
        """
        return load_fold(self.folder, number)

    def labelled_arrays(self, case: str) -> list[Path]:
        """Image and label map of a scan of ``imagesTr``."""
        return [self.arrays / f"{case}{ending}" for ending in (".b2nd", "_seg.b2nd")]

    def scans(self, fold: Fold, unlabelled: bool) -> list[Path]:
        """The arrays that a training reads; those that may not exist are named where they are searched first.

        Args:
            fold: of this dataset.
            unlabelled: whether scans without labels are read; their label maps are not.
        """
        files = [file for case in (*fold.train, *fold.val) for file in self.labelled_arrays(case)]
        for case in fold.unlabelled if unlabelled else ():
            places = [folder / f"{case}.b2nd" for folder in (unlabelled_folder(self.arrays), self.arrays)]
            files.append(next((file for file in places if file.is_file()), places[0]))
            if (outside := label_file(outside_folder(self.arrays), case)).is_file():
                files.append(outside)
        return files


def check_plans(plans: dict[str, Any], configuration: str) -> None:
    """Make sure that plans are of ``mass_nnunet plan``.

    Raises:
        UserError: they are not, or they lack the configuration.
    """
    named = f"{plans.get('plans_name')} of {plans.get('dataset_name')}"
    if "mass" not in plans:
        raise UserError(f"{named} are no plans of `mass_nnunet plan`: run it and train with -p MASSPlans")
    check_form(named, plans, "run `mass_nnunet plan` again")
    if configuration not in plans["configurations"]:
        raise UserError(f"{named} have no {configuration}: train {', '.join(plans['configurations'])}")
    _check_configuration(named, plans, configuration, "run `mass_nnunet plan` again")


def _check_configuration(where: object, plans: dict[str, Any], configuration: str, remedy: str) -> None:
    settings = plans["configurations"].get(configuration, {})
    if absent := [key for key in _NEEDED if key not in settings]:
        raise UserError(f"{where} have no {absent[0]} in {configuration}: {remedy}")


def planned_datasets(
    plans: dict[str, Any], dataset_json: dict[str, Any], configuration: str, together: bool
) -> list[PlannedDataset]:
    """The datasets that a training reads, in the order of the plans.

    Args:
        plans: of the dataset that the training is started for.
        dataset_json: of the same.
        configuration: name of the configuration.
        together: whether all datasets of the group are trained; otherwise this one alone.

    Raises:
        UserError: a dataset was renamed or removed, or another dataset's plans are of another planning.
    """
    modalities = plans["mass"]["modalities"]
    remedy = f"plan the group again: mass_nnunet plan -d {' '.join(m['dataset'][7:10] for m in modalities)}"
    found = []
    for modality in modalities:
        own = modality["name"] == plans["mass"]["modality"]
        if not (own or together):
            continue
        folder = base_folder("preprocessed") / modality["dataset"]
        file = folder / f"{plans['plans_name']}.json"
        if not folder.is_dir():
            raise UserError(
                f"{folder} does not exist, which {plans['plans_name']}.json of the group names: if the dataset was "
                f"renamed, in all of nnU-Net's folders, {remedy}"
            )
        theirs = plans if own else read_json(file, remedy)
        if not own:
            check_form(file, theirs, remedy)
            _check_configuration(f"the plans in {file}", theirs, configuration, remedy)
        if not same_group(plans, theirs, configuration):
            raise UserError(f"{file} is of another planning than that of {plans['dataset_name']}: {remedy}")
        its_json = dataset_json if own else read_json(folder / DATASET_JSON, remedy)
        arrays = folder / PlansManager(theirs).get_configuration(configuration).data_identifier
        found.append(PlannedDataset(folder, theirs, its_json, arrays, remedy))
    return found


def same_group(ours: dict, theirs: dict, configuration: str) -> bool:
    """Whether two plans come from one planning: same modalities, schedule, and network."""
    shared = ("modalities", "epochs", "iterations", "hyperparameters", "regions")
    network = ("patch_size", "spacing", "batch_size", "architecture")
    settings, its_settings = (plans["configurations"].get(configuration, {}) for plans in (ours, theirs))
    return (
        "mass" in theirs
        and all(ours["mass"].get(key) == theirs["mass"].get(key) for key in shared)
        and all(settings.get(key) == its_settings.get(key) for key in network)
    )


def check_inputs(dataset: PlannedDataset, number: int | str, unlabelled: bool, *, only_validates: bool = False) -> None:
    """Make sure that a dataset is whole and up to date: its fold, arrays, and the labels that the training may read.

    Hidden labels are not read. A note tells of scans that may have changed since their arrays were made.

    Args:
        dataset: the dataset.
        number: of the fold.
        unlabelled: whether scans without labels are read.
        only_validates: whether nothing is trained: then nothing but the scans to validate on has to be there.

    Raises:
        UserError: the dataset is being planned, the fold does not exist or is older than the dataset, dataset.json has
            changed since ``plan``, an array is absent or damaged, or a label map has a value that dataset.json does not
            name.
    """
    check_free([dataset.folder], "`mass_nnunet plan` or `annotate-in`")
    fold = dataset.fold(number)
    raw = raw_dataset(dataset.folder.name)
    if only_validates:
        fold = replace(fold, train=(), unlabelled=(), annotated={})
    if raw is not None and isinstance(number, int):
        check = check_scans if only_validates else check_fold
        check(fold, number, dataset.folder / SPLITS_JSON, raw)
    if raw is not None and not only_validates:
        for key in ("labels", ORDER, "channel_names"):
            if raw.content.get(key) != dataset.dataset_json.get(key):
                raise UserError(
                    f"{raw.folder / DATASET_JSON} has other {key} than {dataset.folder / DATASET_JSON}, with which the "
                    f"scans were preprocessed: {dataset.remedy}"
                )
    if not (file := dataset.folder / "dataset_fingerprint.json").is_file():  # nnU-Net's trainer copies it
        raise UserError(f"{file} does not exist: {dataset.remedy}")
    arrays = dataset.scans(fold, unlabelled)
    for file in arrays:
        _check_array(file, dataset.remedy)
    labels, regions = _label_manager(dataset), regions_of(dataset.dataset_json["labels"])
    if list(map(list, regions.values())) != dataset.plans["mass"].get("regions", []):
        raise UserError(f"{dataset.folder / DATASET_JSON} has other regions than the plans beside it: {dataset.remedy}")
    ignored = [labels.ignore_label] if labels.has_ignore_label else []
    known = {OUTSIDE, *labels.all_labels, *ignored}
    for case in (*fold.train, *fold.val):
        if strange := sorted(values(dataset.labelled_arrays(case)[1]) - known):
            truth = dataset.folder / "gt_segmentations" if raw is None else raw.label_folder(TRAINING)
            file = truth / label_name(case, dataset.dataset_json["file_ending"])
            raise UserError(
                f"{file} holds the value {strange[0]}, which {DATASET_JSON} does not name: correct the file or "
                f"{DATASET_JSON}, then {dataset.remedy}"
            )
    if raw is not None and (changed := changed_scans(fold, raw, arrays, outside_folder(dataset.arrays))):
        _tell(
            f"note: files of {named(changed)} in {raw.folder} are gone or new, or have other sizes or times than when "
            f"they were preprocessed: if a scan or a label map was changed, {dataset.remedy}"
        )


@cache
def _tell(note: str) -> None:
    """Print a note once, as the datasets of a group are checked for each of their trainers."""
    print(note, file=sys.stderr, flush=True)


def _label_manager(dataset: PlannedDataset) -> LabelManager:
    try:
        return PlansManager(dataset.plans).get_label_manager(dataset.dataset_json)
    except (TypeError, AttributeError, KeyError):
        name = shortened(dataset.plans.get("label_manager"))
        raise UserError(f"{name} in the plans of {dataset.folder.name} is no label manager: {dataset.remedy}") from None


def possible_in(datasets: Sequence[PlannedDataset], number: int | str) -> PossibleClasses:
    """The possible classes at each label of a fold, in datasets that are trained together.

    Args:
        datasets: the datasets, of the same labels.
        number: of the fold.
    """
    folds = [dataset.fold(number) for dataset in datasets]
    ignores = any(IGNORE in dataset.dataset_json["labels"] for dataset in datasets)
    sparse = any(fold.sparse > 1 for fold in folds)
    labels = classes_of(datasets[0].dataset_json["labels"])
    return possible_classes(labels, ignores or sparse, [fold.annotated for fold in folds])


def values(file: Path) -> frozenset[int]:
    """The values in a preprocessed label map."""
    return _values(file, file.stat().st_mtime_ns)


@cache
def _values(file: Path, _: int) -> frozenset[int]:
    """The same; a file is read once, as the datasets of a group are checked for each of their trainers."""
    labels = blosc2.open(urlpath=str(file), mode="r")[:].reshape(-1)
    ends = labels[:-1][labels[1:] != labels[:-1]]  # the last voxel of each run of one value: far fewer than all voxels
    return frozenset(np.unique(np.append(ends, labels[-1:])).tolist())


def _check_array(file: Path, remedy: str) -> None:
    if not file.is_file():
        raise UserError(f"{file} does not exist: {remedy}")
    try:
        blosc2.open(urlpath=str(file), mode="r")
    except (RuntimeError, OSError, ValueError):
        raise UserError(f"{file} is damaged: {remedy}") from None
