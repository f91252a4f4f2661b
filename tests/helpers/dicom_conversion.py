"""The conversion of a DICOM export in this process, and what it writes."""

from pathlib import Path
from typing import Any

import SimpleITK as sitk

from dicom_export import PATIENT, outlines, write_series, write_structures
from mass_nnunet.cli import main
from mass_nnunet.data.volume import read_volume
from native_trees import BTCV_VALUES, organs, scan

NAMES = {name.replace("_", " "): value for name, value in BTCV_VALUES.items()}
NAMED = ["--labels", "liver", "spleen", "right_kidney", "left_kidney"]
"""The option that names the structures of :func:`write_labelled`."""


def person(number: int) -> dict[str, Any]:
    """Name and id of a patient."""
    return PATIENT | {"PatientID": f"MRN4711{number}", "PatientName": f"Mustermann^Erika{number}"}


def convert(src: Path, *options: str, modality: str = "CT") -> int:
    """Convert an export to dataset 807; returns the exit status."""
    return main(["convert", "dicom", str(src), "-d", "807", "--modality", modality, "-np", "1", *options])


def images(raw: Path) -> dict[str, sitk.Image]:
    """The converted scans by case."""
    return {path.name.removesuffix("_0000.nii.gz"): read_volume(path) for path in sorted(raw.glob("D*/images*/*"))}


def labels(raw: Path) -> dict[str, sitk.Image]:
    """The converted label maps by case."""
    return {path.name.removesuffix(".nii.gz"): read_volume(path) for path in sorted(raw.glob("D*/labels*/*"))}


def write_labelled(src: Path, count: int = 3) -> None:
    """Scans of several patients, with contours."""
    for number in range(count):
        folder = src / f"Mustermann_Erika_{number}"
        slices = write_series(scan(number), folder / "CT 2", study=str(number), **person(number))
        structures = {name: outlines(organs(BTCV_VALUES), value) for name, value in NAMES.items()}
        write_structures(folder / "RT", structures, slices)
