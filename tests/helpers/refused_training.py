"""Trainings that are refused in one line, or that were killed, and the files that they leave as they are."""

from pathlib import Path

import blosc2
import numpy as np
import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from tiny_group import trainer

METHODS = ["SupervisedTrainer", "MASSTrainer"]
"""A method that trains one dataset, and one that trains a group."""
ARRAYS = "MASSPlans_3d_fullres"
"""Folder of nnU-Net's preprocessed scans of the tiny group."""


def files(root: Path) -> set[Path]:
    return {path for kind in ("preprocessed", "results") for path in (root / kind).rglob("*")}


def refused(root: Path, name: str, dataset: str = "801", fold: int = 0) -> str:
    """The line in which a training is refused, which writes nothing."""
    before = files(root)
    with pytest.raises(SystemExit) as ended:
        trainer(name, dataset, fold)
    line = str(ended.value.code)
    assert line.startswith("error: ") and "\n" not in line
    assert files(root) == before
    return line


def write_nan(root: Path, dataset: str, case: str) -> None:
    """Make voxels of a preprocessed scan NaN, as an old `plan` let pass."""
    (file,) = (root / "preprocessed" / dataset).rglob(f"{case}.b2nd")  # that of imagesUn is in a folder of its own
    image = blosc2.open(urlpath=str(file), mode="r")[:]
    image[:] = np.nan
    file.unlink()
    blosc2.asarray(image, urlpath=str(file), mode="w")


def begun(name: str, dataset: str = "801") -> nnUNetTrainer:
    """A training that was killed after its first checkpoint."""
    one = trainer(name, dataset)
    one.initialize()
    one.save_checkpoint(str(Path(one.output_folder) / "checkpoint_latest.pth"))
    return one
