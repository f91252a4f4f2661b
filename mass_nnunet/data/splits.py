"""The folds in ``splits_final.json``: labelled, unlabelled and validation cases. sampled_folds.py makes them."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError, shortened

from .annotated import Annotated
from .files import read_json

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
