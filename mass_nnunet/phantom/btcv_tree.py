"""CT patients in the layout of BTCV (Synapse syn3193805): one NIfTI file for the image, one for its 13 labels."""

from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .patient import Patient, SyntheticScan

TRAIN, TEST = Path("BTCV/RawData/Training"), Path("BTCV/RawData/Testing")


def train_numbers(amount: int) -> list[int]:
    """Numbers of scans with labels: those of BTCV, then unused ones up to 60, then 1001, 1003, ..."""
    return list(islice(chain(range(1, 11), range(21, 61), count(1001, 2)), amount))


def test_numbers(amount: int) -> list[int]:
    """Numbers of scans without labels: 61 to 1000, then 1002, 1004, ..."""
    return list(islice(chain(range(61, 1001), count(1002, 2)), amount))


def image_path(part: Path, number: int) -> Path:
    """Path of a patient's image in a part of the tree."""
    return part / "img" / f"img{number:04d}.nii.gz"


def label_path(part: Path, number: int) -> Path:
    """Path of a patient's label map in a part of the tree."""
    return part / "label" / f"label{number:04d}.nii.gz"


def write_patient(folder: Path, patient: Patient, labelled: bool) -> None:
    """Write the patient's part of the tree into ``folder``: img/ and, where ``labelled``, label/."""
    scan = patient.scans["CT"]
    _write_volume(image_path(folder, patient.number), scan.image, scan)
    if labelled:
        _write_volume(label_path(folder, patient.number), scan.btcv, scan)


def _write_volume(path: Path, values: np.ndarray, scan: SyntheticScan) -> None:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(scan.spacing)
    image.SetOrigin(scan.origin)
    image.SetDirection(scan.direction)
    path.parent.mkdir(parents=True)
    sitk.WriteImage(image, str(path))
