"""Corrected labels become part of a raw dataset: in steps that can be repeated, after which it is whole each time.

A killed run leaves a label map more than there are scans in ``imagesTr``, or a scan in ``imagesTr`` that all folds take
for one with a hidden label. Both are sound, and the same command goes on from there. It takes all steps again
for the scans in :data:`BEGUN`, with which the killed run had begun.
"""

import filecmp
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.data.annotated import ANNOTATED_JSON
from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import atomic_path, read_json, write_json
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.data.volume import write_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE

REPLACED = "labelsReplaced"
"""Folder of the raw dataset with label maps that were replaced by corrected ones; nnU-Net never looks into it."""
BEGUN = ".annotate-in.json"
"""File of the raw dataset with the scans that a run has begun with and not ended; there is none where all is done."""
_STAGING = ".tmp-annotate-in"
_STAYING = "_unlabelled"  # ending of folders with arrays of scans without labels
_ARRAYS = (".b2nd", "_seg.b2nd", ".npz", ".npy", "_seg.npy", ".pkl")


def scan_files(dataset: RawDataset, case: str) -> list[Path]:
    """Files of a scan, one for each channel, in ``imagesUn`` or ``imagesTr``, or partly in each after an interruption.

    Raises:
        UserError: a file is in neither of them, or in both.
    """
    found = []
    pairs = zip(dataset.image_paths(UNLABELLED, case), dataset.image_paths(TRAINING, case), strict=True)
    for hidden, training in pairs:
        if hidden.is_file() and training.is_file():
            raise UserError(f"{hidden} is in {TRAINING}, too: remove one of them, if they are of the same scan")
        if not hidden.is_file() and not training.is_file():
            raise UserError(f"{hidden} is not there, nor in {TRAINING}: was the scan renamed or removed meanwhile?")
        found.append(hidden if hidden.is_file() else training)
    return found


def put_label(dataset: RawDataset, case: str, label: sitk.Image) -> bool:
    """Write a label map into ``labelsTr``; a copy of the one that was there before stays in :data:`REPLACED`.

    Returns:
        False where the very same file was there.
    """
    file = dataset.label_path(TRAINING, case)
    file.parent.mkdir(exist_ok=True)
    with _staged(dataset, label, file.name) as staged:
        if file.is_file():
            if filecmp.cmp(file, staged, shallow=False):
                return False
            _keep(file, dataset.folder / REPLACED)
        staged.replace(file)
    return True


def has_label(dataset: RawDataset, case: str, label: sitk.Image) -> bool:
    """Whether ``labelsTr`` has the very file that :func:`put_label` would write."""
    file = dataset.label_path(TRAINING, case)
    if not file.is_file():
        return False
    with _staged(dataset, label, file.name) as staged:
        return filecmp.cmp(file, staged, shallow=False)


@contextmanager
def _staged(dataset: RawDataset, label: sitk.Image, name: str) -> Iterator[Path]:
    """A label map as a file that is there inside the block, on the disk of the dataset."""
    staging = dataset.folder / _STAGING
    shutil.rmtree(staging, ignore_errors=True)  # of a killed run
    try:
        write_volume(label, staging / name)
        yield staging / name
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _keep(file: Path, folder: Path) -> None:
    """Copy a file into a folder under a number of its own, unless it is there already."""
    number = 1
    while True:
        copy = folder / f"{number}_{file.name}"
        if not copy.exists():
            with atomic_path(copy) as temporary:
                shutil.copy2(file, temporary)
            return
        if filecmp.cmp(file, copy, shallow=False):
            return
        number += 1


def forget_arrays(dataset: RawDataset, case: str, preprocessed: Path) -> None:
    """Delete what was preprocessed of a scan with a former label map, or with none, in the place of labelled scans.

    Otherwise a training would find labels there that are not those of the dataset; ``mass_nnunet plan`` makes them.

    Args:
        dataset: the raw dataset, with the new label map.
        case: the scan.
        preprocessed: the dataset's folder in nnUNet_preprocessed.
    """
    since = dataset.label_path(TRAINING, case).stat().st_mtime_ns
    stale = [preprocessed / "gt_segmentations" / f"{case}{dataset.ending}"]
    if preprocessed.is_dir():
        folders = [path for path in preprocessed.iterdir() if path.is_dir() and not path.name.endswith(_STAYING)]
        stale += [folder / f"{case}{ending}" for folder in folders for ending in _ARRAYS]
    for file in stale:
        if file.is_file() and file.stat().st_mtime_ns < since:
            file.unlink()


def move_scan(dataset: RawDataset, case: str) -> None:
    """Move a scan from ``imagesUn`` to ``imagesTr``, unless it is there."""
    (dataset.folder / TRAINING).mkdir(exist_ok=True)
    pairs = zip(dataset.image_paths(UNLABELLED, case), dataset.image_paths(TRAINING, case), strict=True)
    for hidden, training in pairs:
        if hidden.is_file():
            hidden.replace(training)


def begun(dataset: RawDataset) -> set[str]:
    """The scans that a killed run had begun with."""
    file = dataset.folder / BEGUN
    return set(read_json(file, "remove it")) if file.exists() else set()


def begin(dataset: RawDataset, cases: Collection[str]) -> None:
    """Write down that a run begins with some scans."""
    if not begun(dataset) >= set(cases):
        write_json(dataset.folder / BEGUN, sorted(begun(dataset) | set(cases)))


def end(dataset: RawDataset, cases: Collection[str]) -> None:
    """Write down that all steps were taken for some scans."""
    left = begun(dataset) - set(cases)
    if left:
        write_json(dataset.folder / BEGUN, sorted(left))
    else:
        (dataset.folder / BEGUN).unlink(missing_ok=True)


def count_scans(dataset: RawDataset) -> bool:
    """Write into ``dataset.json`` how many scans ``imagesTr`` has; whether that was changed."""
    count = len(dataset.cases(TRAINING))
    if dataset.content["numTraining"] == count:
        return False
    write_json(dataset.folder / DATASET_JSON, {**dataset.content, "numTraining": count})
    return True


def say_structures(dataset: RawDataset, cases: Collection[str], structures: Sequence[str] | None) -> bool:
    """Write into ``annotated.json`` which structures were annotated in some scans; whether that was changed.

    Args:
        dataset: the raw dataset.
        cases: the scans.
        structures: names of the structures; None for all of them.
    """
    file = dataset.folder / ANNOTATED_JSON
    content: Mapping[str, Sequence[str]] = read_json(file, "convert the dataset again") if file.exists() else {}
    others = {case: names for case, names in content.items() if case not in cases}
    wanted = others | ({} if structures is None else {case: list(structures) for case in cases})
    if wanted == content:
        return False
    write_json(file, wanted)
    return True


def checked_structures(dataset: RawDataset, names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of structures in the order of the dataset; None for all of them.

    Raises:
        UserError: the dataset has no structure of one of these names, or has regions.
    """
    if names is None:
        return None
    if dataset.regions:
        raise UserError(f"--structures is not supported for the regions of {dataset.name}: annotate all of them")
    everything = [name for name in dataset.labels if name not in (BACKGROUND, IGNORE)]
    if strange := [name for name in names if name not in everything]:
        raise UserError(f"--structures {strange[0]} is none of {dataset.name}: it has {', '.join(everything)}")
    found = tuple(name for name in everything if name in names)
    return None if len(found) == len(everything) else found
