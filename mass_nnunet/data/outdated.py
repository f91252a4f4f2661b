"""Splits and arrays that are older than their dataset: it was changed after ``mass_nnunet split`` or ``plan``."""

from collections.abc import Collection, Iterable
from pathlib import Path

from nnunetv2.paths import nnUNet_raw

from mass_nnunet.errors import UserError

from .annotated import ANNOTATED_JSON
from .dataset_json import DATASET_JSON
from .names import label_name
from .outside import PSEUDO
from .paths import base_folder
from .raw import TRAINING, UNLABELLED, RawDataset
from .sampled_folds import check_test_patients
from .sources import may_have_changed
from .splits import SPLITS_JSON, Fold, check_overlap, load_fold, read_entries

_REMEDY = "run `mass_nnunet split` again, for all datasets of the group together"
_NAMED = 3  # scans that a message names


def check_splits(dataset: RawDataset, preprocessed: Path) -> None:
    """Make sure that all folds of a dataset are up to date, if it was split by this package.

    Args:
        dataset: the raw dataset.
        preprocessed: its folder in nnUNet_preprocessed.

    Raises:
        UserError: a fold names a scan that the dataset has no longer, or leaves out one that it has.
    """
    path = preprocessed / SPLITS_JSON
    if not path.exists():
        return
    _, entries = read_entries(preprocessed)
    if all("unlabelled" in entry for entry in entries):
        for number in range(len(entries)):
            check_fold(load_fold(preprocessed, number), number, path, dataset)


def check_fold(fold: Fold, number: int, path: Path, dataset: RawDataset) -> None:
    """Make sure that a fold has each scan of its dataset once, and each patient on one side.

    Scans of ``imagesUn`` are exempt if they show a patient who is validated on: the fold must not use them.

    Args:
        fold: the fold.
        number: its number.
        path: the file that it is from.
        dataset: the raw dataset.

    Raises:
        UserError: the fold names a scan that the dataset has no longer, or leaves out one that it has, or differs from
            its ``annotated.json``, or trains on a patient who is validated or tested on.
    """
    patients = check_sides(fold, number, path, dataset)
    annotated, hidden = dataset.cases(TRAINING), dataset.cases(UNLABELLED)
    validated = {patients[case] for case in fold.val}
    usable = [*annotated, *(case for case in hidden if patients[case] not in validated)]
    if unused := _missing(usable, [*fold.train, *fold.val, *fold.unlabelled]):
        scans = "1 scan" if len(unused) == 1 else f"{len(unused)} scans"
        raise UserError(f"{scans} of {dataset.folder} ({named(unused)}) not in fold {number} of {path}: {_REMEDY}")


def check_sides(fold: Fold, number: int, path: Path, dataset: RawDataset) -> dict[str, str]:
    """Make sure that a dataset has the scans of a fold (:func:`check_scans`), and that each patient is on one side.

    Arguments as in :func:`check_fold`.

    Returns:
        Patient of each case of the dataset.

    Raises:
        UserError: :func:`check_scans` raises it, or the fold trains on a patient who is validated or tested on.
    """
    check_scans(fold, number, path, dataset)
    patients = dataset.patients()
    check_overlap(fold, patients, f"fold {number} in {path}")
    check_test_patients(dataset, patients, [*fold.train, *fold.val, *fold.unlabelled])
    return patients


def check_scans(fold: Fold, number: int, path: Path, dataset: RawDataset) -> None:
    """Make sure that a dataset has the scans of a fold, annotated as the fold says; it may have more.

    Args:
        fold: the fold, or a part of it.
        number: its number.
        path: the file that it is from.
        dataset: the raw dataset.

    Raises:
        UserError: the fold names a scan that the dataset has no longer, or differs from its ``annotated.json``.
    """
    annotated, hidden = dataset.cases(TRAINING), dataset.cases(UNLABELLED)
    for cases, parts, where in (
        ((*fold.train, *fold.val), annotated, f"{TRAINING}"),
        (fold.unlabelled, [*annotated, *hidden], f"{TRAINING} or {UNLABELLED}"),
    ):
        if gone := _missing(cases, parts):
            raise UserError(f"fold {number} in {path} has {named(gone)}, not in {where} of {dataset.folder}: {_REMEDY}")
    in_part = dataset.annotated()
    for case in (*fold.train, *fold.val):
        if in_part.get(case) != fold.annotated.get(case):
            raise UserError(
                f"fold {number} in {path} is older than {dataset.folder / ANNOTATED_JSON}, of {case}: {_REMEDY}"
            )


def changed_scans(fold: Fold, dataset: RawDataset, arrays: Iterable[Path], outside: Path) -> list[str]:
    """The cases of a fold of which a file may have changed since it was preprocessed; hidden label maps do not count.

    A label map of another tool that was not preprocessed counts as changed.

    Args:
        fold: the fold.
        dataset: the raw dataset.
        arrays: preprocessed files of the fold's cases.
        outside: folder of the preprocessed labels of another tool.
    """
    annotated, without = {*fold.train, *fold.val}, set(dataset.cases(UNLABELLED))
    found = []
    for array in arrays:
        case = array.name.removesuffix(".b2nd")
        if array.name.endswith("_seg.b2nd"):  # it was made with its image
            continue
        files = dataset.image_paths(UNLABELLED if case in without else TRAINING, case)
        label = dataset.folder / PSEUDO / label_name(case, dataset.ending)
        if array.parent == outside:
            files.append(label)
        elif case in annotated:
            files.append(dataset.label_path(TRAINING, case))
        is_new = case in without and label.is_file() and not (outside / array.name).is_file()
        if is_new or may_have_changed(array, case, files):
            found.append(case)
    return list(dict.fromkeys(found))


def raw_dataset(name: str) -> RawDataset | None:
    """The raw dataset of this name, if it has scans; None where raw data were left behind, as on a cluster.

    Raises:
        UserError: its dataset.json is not valid.
    """
    if not nnUNet_raw.is_set():
        return None
    folder = base_folder("raw") / name
    if not any((folder / part).is_dir() for part in (TRAINING, UNLABELLED)) or not (folder / DATASET_JSON).is_file():
        return None
    return RawDataset.read(folder)


def named(cases: Collection[str]) -> str:
    """The first of some cases, for a message."""
    return ", ".join([*list(cases)[:_NAMED], *(["..."] if len(cases) > _NAMED else [])])


def _missing(cases: Iterable[str], where: Iterable[str]) -> list[str]:
    return sorted(set(cases) - set(where))
