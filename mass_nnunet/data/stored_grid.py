"""The grid of an image by its header: whether a label map, or another channel, belongs to a scan."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.errors import UserError

from .volume import SIMILAR_GRID, check_header


class StoredGrid(NamedTuple):
    """The grid of a file in its stored axes.

    Attributes:
        size: voxels along x, y, z.
        corners: positions of the eight corner voxels, (8, 3), LPS mm, in the order of the grid's indices.
        spacing: edges of a voxel along x, y, z, in mm.
    """

    size: tuple[int, ...]
    corners: np.ndarray
    spacing: tuple[float, ...]

    @property
    def volume(self) -> float:
        """Volume of all voxels in mm³."""
        return float(np.prod(self.size) * np.prod(self.spacing))


def stored_grid(path: Path) -> StoredGrid:
    """Read the grid of a file; no voxel is read.

    Raises:
        UserError: the header cannot be read or is not sound, or the file is no volume.
    """
    check_header(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise UserError(f"{path} cannot be read: copy or download it again") from None
    size, spacing = reader.GetSize(), reader.GetSpacing()
    if len(size) != 3:
        raise UserError(f"{path} is not one three-dimensional scan (size {_sizes(size)}): split it first")
    ends = np.array(list(product(*((0, length - 1) for length in size))))
    corners = np.array(reader.GetOrigin()) + (ends * np.array(spacing)) @ np.reshape(reader.GetDirection(), (3, 3)).T
    return StoredGrid(size, corners, spacing)


def check_same_grid(scan: Path, other: Path, what: str, *, turned: bool) -> None:
    """Make sure that a label map, or another channel, has its voxels where its scan has them, by both headers.

    Args:
        scan: file of the first channel.
        other: file of the label map or of another channel.
        what: what ``other`` is, for the message.
        turned: whether nnU-Net turns each file to the same axes, when it reads it. Otherwise it takes the voxels in
            their stored order, and the axes have to be those of the scan.

    Raises:
        UserError: it has not, or a header is not sound.
    """
    grid, its = stored_grid(scan), stored_grid(other)
    if sorted(grid.size) != sorted(its.size):
        raise UserError(
            f"{other} has {_sizes(its.size)} voxels, and its scan {_sizes(grid.size)}: get the {what} that belongs to "
            "the scan"
        )
    distances = np.linalg.norm(grid.corners[:, None] - its.corners, axis=-1)  # (8, 8), mm
    near = SIMILAR_GRID * min(grid.spacing)
    if grid.size == its.size and (distances.diagonal() <= near).all():
        return
    if (distances.min(1) > near).any():
        raise UserError(
            f"{other} is not where {scan} is, by {distances.min(1).max():.0f} mm: get the {what} that belongs to this "
            "scan, or correct its header"
        )
    if not turned:
        raise UserError(
            f"the axes of {other} run differently from those of {scan}, and the dataset's reader does not turn them: "
            f"save the {what} in the axes of the scan"
        )


def _sizes(size: tuple[int, ...]) -> str:
    """Voxels along z, y, x, as in arrays."""
    return " x ".join(map(str, reversed(size)))
