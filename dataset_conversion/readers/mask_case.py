"""A scan in one NIfTI file, with one file for each annotated structure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.label_map import whole_values
from mass_nnunet.data.volume import label_like, on_grid_of, read_volume
from mass_nnunet.dataset_conversion.source import Case, Volumes, map_labels
from mass_nnunet.errors import UserError

_MASK = {0: 0, 1: 1}


@dataclass(frozen=True, kw_only=True)
class MaskCase(Case):
    """A scan in a NIfTI file, with a mask (0 and 1) of each structure in files on the same grid.

    Attributes:
        image: file of the scan.
        masks: files of the structures that are one organ, by the dataset's label of that organ.
    """

    image: Path
    masks: Mapping[int, tuple[Path, ...]]

    @property
    def source(self) -> Path:
        return self.image

    def files(self) -> list[Path]:
        return [self.image, *(file for files in self.masks.values() for file in files)]

    def described(self) -> dict[str, object]:
        masks = {str(value): [file.name for file in files] for value, files in self.masks.items()}
        return super().described() | {"masks": masks}

    def read(self) -> Volumes:
        """As in :class:`Case`.

        Raises:
            UserError: as there; or a mask holds another value than 0 and 1, or two organs have voxels in common.
        """
        image = read_volume(self.image)
        if self.label is None:
            return Volumes(image)
        joined = np.zeros(image.GetSize()[::-1], np.uint8)
        notes: list[str] = []
        for value, files in self.masks.items():
            for file in files:
                mask, corrected = read_mask(file, image, self.image)
                if not np.isin(joined[mask], (0, value)).all():
                    raise UserError(
                        f"{file} has voxels in common with another organ of {self.image.parent}: correct one of them"
                    )
                joined[mask] = value
                notes += corrected
        return Volumes(image, label_like(image, joined), tuple(notes))


def read_mask(path: Path, image: sitk.Image, image_file: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The voxels of a structure, bool (Z, Y, X) on the grid of the scan, and notes of what was corrected.

    Args:
        path: its NIfTI file.
        image: the scan.
        image_file: file of the scan, for messages.

    Raises:
        UserError: the mask is on another grid, or holds another value than 0 and 1.
    """
    mask, notes = on_grid_of(image, image_file, read_volume(path), path)
    values, rounded = whole_values(sitk.GetArrayViewFromImage(mask), path)
    return map_labels(values, _MASK, path).astype(bool), (*notes, *rounded)
