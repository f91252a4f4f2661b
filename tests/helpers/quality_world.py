"""A dataset of synthetic CTs, three annotated ones among them, for tests of quality."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.phantom.patient import SyntheticScan, make_patient
from mass_nnunet.quality import alignment, corruption, grid
from mass_nnunet.registration import alignment as whole
from tiny_raw import write_raw_dataset

NAME = "Dataset801_CTS"
TRAIN, VAL, HIDDEN, TEST = ["ct0", "ct1"], ["ct2"], ["ct3"], ["ct4", "ct5"]


def make_quick(
    patch: pytest.MonkeyPatch, steps: tuple[int, int] = (2, 1), scales: tuple[float, ...] = (1.0,), count: int = 4
) -> None:
    """A coarse grid, few synthetic errors, and by default so few steps that registration hardly works."""
    patch.setattr(grid, "EDGES", (10.0, 10.0))
    patch.setattr(grid, "ALIGNED", 1.5)
    patch.setattr(alignment, "STEPS", steps)
    patch.setattr(alignment, "STARTS", 1)
    patch.setattr(whole, "SCALES", scales)
    patch.setattr(corruption, "COUNT", count)


def write_scan(path: Path, array: np.ndarray, like: SyntheticScan) -> None:
    """An array (Z, Y, X) as a file on the grid of a synthetic scan."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(like.spacing)
    image.SetOrigin(like.origin)
    image.SetDirection(like.direction)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


def make_world(root: Path) -> SimpleNamespace:
    """nnU-Net's folders below ``root``; ``patients`` are the synthetic scans by case, ``raw`` is the raw dataset."""
    write_raw_dataset(root / "raw", NAME, "CT", [*TRAIN, *VAL, *HIDDEN], [], TEST)
    patients = {f"ct{i}": make_patient(3, i, "CT", (24, 48, 48)).scans["CT"] for i in range(6)}
    for case, scan in patients.items():
        part = "Ts" if case in TEST else "Tr"
        write_scan(root / "raw" / NAME / f"images{part}" / f"{case}_0000.nii.gz", scan.image, scan)
        write_scan(root / "raw" / NAME / f"labels{part}" / f"{case}.nii.gz", scan.organs, scan)
    splits = [{"train": TRAIN, "val": VAL, "unlabelled": HIDDEN, "label_rate": 0.5, "seed": 0}]
    (root / "preprocessed" / NAME).mkdir(parents=True)
    (root / "preprocessed" / NAME / "splits_final.json").write_text(json.dumps(splits))
    return SimpleNamespace(root=root, raw=root / "raw" / NAME, patients=patients)
