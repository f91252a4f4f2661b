"""DICOM exports in which it is not certain which labels belong to which scan."""

import shutil
from functools import partial
from pathlib import Path

from pydicom import Dataset, dcmread

from dicom_export import outlines, write_series, write_structures
from file_edits import on, remove, rename
from native_trees import BTCV_VALUES, organs, scan
from refused_input import Damage
from sound_datasets import CONTOURS, CT, CT_BESIDE_MAPS, LABEL_MAP

_PICKED_MR = ("--modality", "MR", "--series", "all")


def _uid(folder: Path) -> str:
    return str(dcmread(next(folder.iterdir())).SeriesInstanceUID)


def _named_by_uid(src: Path) -> Path:
    return (src / LABEL_MAP).with_name(f"{_uid(src / CT_BESIDE_MAPS)}.nii.gz")


def second_map(src: Path) -> None:
    """The label map once as the case, and once as the series."""
    shutil.copy(src / LABEL_MAP, _named_by_uid(src))


def two_echoes(src: Path) -> None:
    """Two scans with one SeriesInstanceUID, by which their only label map is named."""

    def other_uid(dataset: Dataset, index: int) -> None:
        dataset.SOPInstanceUID += ".9"

    remove(src / CT_BESIDE_MAPS)
    write_series(scan(), src / CT_BESIDE_MAPS, name="a{}", modality="MR", EchoTime=2.3)
    write_series(scan(1), src / CT_BESIDE_MAPS, name="b{}", modality="MR", EchoTime=4.6, change=other_uid)
    (src / LABEL_MAP).rename(_named_by_uid(src))


def contours_besides(src: Path) -> None:
    """A structure set of the scan that has a label map."""
    structures = {"liver": outlines(organs(BTCV_VALUES), BTCV_VALUES["liver"])}
    write_structures(src / "scans/RT", structures, sorted((src / CT_BESIDE_MAPS).iterdir()))


def contours_of_either(src: Path) -> None:
    """Two scans on one grid, and a structure set that says its frame of reference only."""

    def forget(dataset: Dataset) -> None:
        del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence

    remove(src / CONTOURS)
    write_series(scan(1), src / "b", "b", SeriesNumber=3)
    structures = {"liver": outlines(organs(BTCV_VALUES), BTCV_VALUES["liver"])}
    write_structures(src / CONTOURS, structures, sorted((src / CT).iterdir()), change=forget)


with_maps = partial(Damage, "dicom and nifti")

DICOM_LABEL_DAMAGES = [
    with_maps(
        "two label maps of one scan of an export",
        second_map,
        "nii.gz and ...src/maps/p001_t1_s1.nii.gz are both the labels of series 1: remove one of them",
    ),
    with_maps(
        "one label map of two scans of an export",
        two_echoes,
        "nii.gz does not say whether it is of series 1 (p001_t1_s1-1) or series 2 (p001_t1_s1-2): name it as its case",
        _PICKED_MR,
    ),
    with_maps(
        "label map of no scan of an export",
        on(LABEL_MAP, rename, "other.nii.gz"),
        "src/maps/other.nii.gz belongs to no taken series: name it as its case in --list",
    ),
    with_maps(
        "scan of an export with a structure set and a label map",
        contours_besides,
        "series 1 has labels in series 2 and in ...src/maps/p001_t1_s1.nii.gz: leave one of them out",
    ),
    Damage(
        "dicom",
        "structure set of two scans",
        contours_of_either,
        "series 3 does not say whether it is of series 1 or series 2: pick one of them with --series",
    ),
]
