"""Exported zips: what the models and their files are called, and what is in them."""

import zipfile
from pathlib import Path

import torch

from tiny_group import CT

EXPORTED = "nnUNetTrainer__MASSPlans__3d_fullres"
SUPERVISED = "SupervisedTrainer__MASSPlans__3d_fullres"
SECRET = "/archive/miller_anna_1961.nii.gz"


def checkpoint_of(file: Path) -> tuple[dict, zipfile.ZipFile]:
    """The checkpoint in an exported zip, as torch reads it without code, and as the zip that it is."""
    with zipfile.ZipFile(file) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".pth")]
        where = Path(archive.extract(name, file.with_suffix("")))
    return torch.load(where, weights_only=True), zipfile.ZipFile(where)


def read_card(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return archive.read(f"{CT}/{EXPORTED}/MODEL_CARD.md").decode()
