"""A whole scan laid on another one by a scaling and a translation, on a coarse grid; no label and no network is needed.

The normalized cross-correlation of the two scans is largest then (Padfield, Masked object registration in the Fourier
domain, IEEE Transactions on Image Processing 2012).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
import torch.nn.functional as F
from torch import Tensor

from .fields import downsample

EDGE = 15.0
"""Edge of the voxels of the coarse grid, in mm; on it a pair of scans takes about a second."""
SCALES = (0.8, 0.9, 1.0, 1.1, 1.25)
"""Sizes of the moving scan's body that are tried."""
OVERLAP = 0.5
"""Least share of the smaller of the two scans that the other one covers, of the largest possible share."""


class Alignment(NamedTuple):
    """How a moving scan lies on a fixed one.

    Attributes:
        correlation: normalized cross-correlation of what both show.
        size: shape (Z, Y, X) of the scaled moving scan.
        shift: (z, y, x) in voxels: the voxel p of the scaled moving scan lies at p + shift.
    """

    correlation: float
    size: tuple[int, int, int]
    shift: np.ndarray

    def voxels(self, shape: Sequence[int]) -> list[np.ndarray]:
        """For each axis of the fixed grid the voxels of the scaled moving scan; they may lie beyond its border."""
        return [np.arange(n) - s for n, s in zip(shape, self.shift, strict=True)]

    def scaled(self, volume: Tensor) -> np.ndarray:
        """A volume (Z', Y', X') on the grid of the moving scan, scaled."""
        return F.interpolate(volume[None, None], size=self.size, mode="trilinear")[0, 0].numpy()


def coarse(volume: Tensor, spacing: Sequence[float]) -> Tensor:
    """A volume (Z, Y, X) of a spacing (z, y, x) in mm on a grid of about :data:`EDGE` mm."""
    shape = [max(1, round(size * edge / EDGE)) for size, edge in zip(volume.shape, spacing, strict=True)]
    return downsample(volume[None, None], shape)[0, 0]


def alignments(moving: Tensor, fixed: Tensor) -> list[Alignment]:
    """The best alignment of two coarse scans (Z', Y', X') and (Z, Y, X) for each of :data:`SCALES`, the best first."""
    found = []
    for scale in SCALES:
        z, y, x = (max(1, round(scale * edge)) for edge in moving.shape)
        trial = Alignment(0.0, (z, y, x), np.zeros(3, int))
        correlation, shift = _translation(fixed.numpy(), trial.scaled(moving))
        found.append(Alignment(correlation, trial.size, shift))
    return sorted(found, key=lambda one: -one.correlation)


def best_alignment(moving: Tensor, fixed: Tensor) -> Alignment | None:
    """The best of :func:`alignments`; None if no correlation is positive."""
    best = alignments(moving, fixed)[0]
    return best if best.correlation > 0 else None


def _translation(fixed: np.ndarray, moving: np.ndarray) -> tuple[float, np.ndarray]:
    """The largest normalized cross-correlation, and the shift (z, y, x) in voxels: moving[p] lies at fixed[p + shift].

    Only what both show counts.
    """
    images = [sitk.GetImageFromArray(volume) for volume in (fixed, moving)]
    everywhere = [sitk.GetImageFromArray(np.ones(volume.shape, np.float32)) for volume in (fixed, moving)]
    correlation = sitk.GetArrayFromImage(sitk.MaskedFFTNormalizedCorrelation(*images, *everywhere, 0, OVERLAP))
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    return float(correlation[peak]), np.array(peak) - (np.array(moving.shape) - 1)
