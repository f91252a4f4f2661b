"""BTCV, "Beyond the Cranial Vault" (Synapse syn3193805): 30 abdominal CTs with 13 organs, 20 without labels."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.errors import UserError
from mass_nnunet.organs import LABELS

from .source import Case, find_folders, map_labels, values_in, visible_files
from .volume import label_like, read_volume, same_grid

NAME = "BTCV"
CHANNEL = "CT"
_ORGANS = {1: "spleen", 2: "right_kidney", 3: "left_kidney", 6: "liver"}
_HIGHEST = 13
_TABLE = np.array([LABELS[_ORGANS.get(value, "background")] for value in range(_HIGHEST + 1)], np.int16)
_NIFTI = (".nii.gz", ".nii")


@dataclass(frozen=True, kw_only=True)
class BtcvCase(Case):
    """A CT ``img0001.nii.gz`` and, where there is one, its ``label0001.nii.gz``."""

    image: Path

    def label_values(self) -> set[int]:
        return values_in([self._labels(read_volume(self.label))])

    def read_image(self) -> sitk.Image:
        return read_volume(self.image)

    def read_labelled(self) -> tuple[sitk.Image, sitk.Image]:
        image, label = self.read_image(), read_volume(self.label)
        if not same_grid(image, label):
            raise UserError(f"{self.label} is not on the grid of {self.image}: size, spacing, origin or axes differ")
        return image, label_like(image, self._labels(label))

    def _labels(self, label: sitk.Image) -> np.ndarray:
        return map_labels(sitk.GetArrayViewFromImage(label), _TABLE, self.label)


def find_cases(root: Path) -> list[BtcvCase]:
    """All CTs of ``Training/img`` and ``Testing/img``, at any depth below ``root``.

    Raises:
        UserError: there are none, or a label lies there without its image.
    """
    cases = []
    for part in ("Training", "Testing"):
        for folder in find_folders(root, part):
            labels = _numbered(folder / "label", "label")
            images = _numbered(folder / "img", "img")
            if orphans := sorted(labels.keys() - images.keys()):
                raise UserError(f"{labels[orphans[0]]} has no image in {folder / 'img'}: download the image as well")
            cases += [
                BtcvCase(name=f"btcv_{number}", patient=f"btcv_{number}", image=image, label=labels.get(number))
                for number, image in images.items()
            ]
    if not cases:
        raise UserError(f"{root} holds no BTCV scan: expected Training/img/img0001.nii.gz in it, at any depth")
    return cases


def _numbered(folder: Path, prefix: str) -> dict[str, Path]:
    """``img0001.nii.gz`` -> ``{"0001": path}``."""
    pattern = re.compile(rf"{prefix}(\d+)\.nii(\.gz)?")
    matches = ((pattern.fullmatch(path.name), path) for path in visible_files(folder, *_NIFTI))
    return {match[1]: path for match, path in matches if match}
