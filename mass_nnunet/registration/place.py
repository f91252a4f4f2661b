"""In which slices of a scan organs can be: whole annotated scans are laid on it, by a scaling and a translation.

A patch does not show where in the body it lies, and a few annotated scans may show no pelvis: a network that learned
from them finds organs in it. A whole scan does show it. The method needs no label of the scan, and no network.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .fields import downsample

EDGE = 15.0
"""Edge of the voxels of the coarse grid, in mm; on it a pair of scans takes about a second."""
SCALES = (0.8, 0.9, 1.0, 1.1, 1.25)
"""Sizes of the atlas's body that are tried."""
OVERLAP = 0.5
"""Least share of the smaller of the two scans that the other one covers, of the largest possible share."""


def possible_organs(
    scan: np.ndarray, atlases: Iterable[tuple[np.ndarray, np.ndarray]], spacing: Sequence[float], margin: float
) -> np.ndarray:
    """Where organs can be in a whole scan: in slices within ``margin`` of the organs of an atlas that is laid on it.

    Slices only: patients differ in width more than the alignment errs along the body, and a network that has learned
    the abdomen of a few patients needs to be told of the others' pelvis, not of their flanks.

    Each atlas is scaled and translated so that its normalized cross-correlation with the scan is largest, on a coarse
    grid (Padfield, Masked object registration in the Fourier domain, IEEE Transactions on Image Processing 2012).
    Beyond the atlas's field of view an organ that its border cuts goes on; where all organs are whole there is none.

    Args:
        scan: image (Z, Y, X).
        atlases: images and labels (Z, Y, X) of whole annotated scans of the same modality.
        spacing: voxel size (z, y, x) in mm, of all of them.
        margin: in mm, along the first axis; patients differ, and the alignment errs.

    Returns:
        Boolean (Z, Y, X), equal within a slice.
    """
    fixed = _coarse(torch.from_numpy(np.asarray(scan, np.float32)), spacing)
    organs = np.zeros(fixed.shape, bool)
    for image, labels in atlases:
        moving = _coarse(torch.from_numpy(np.asarray(image, np.float32)), spacing)
        shares = _coarse(torch.from_numpy(np.asarray(labels > 0, np.float32)), spacing)
        organs |= _laid(shares, moving, fixed) > 0.5
    edge = scan.shape[0] * spacing[0] / len(organs)
    slices = organs.any((1, 2))
    near = distance_transform_edt(~slices, sampling=edge) <= margin if slices.any() else np.ones_like(slices)
    finer = F.interpolate(torch.from_numpy(near)[None, None].float(), size=len(scan), mode="nearest-exact")
    return np.broadcast_to(finer[0, 0].numpy()[:, None, None] > 0, scan.shape)


def _coarse(volume: Tensor, spacing: Sequence[float]) -> Tensor:
    """A volume (Z, Y, X) on a grid of about :data:`EDGE` mm."""
    shape = [max(1, round(size * edge / EDGE)) for size, edge in zip(volume.shape, spacing, strict=True)]
    return downsample(volume[None, None], shape)[0, 0]


def _laid(organs: Tensor, moving: Tensor, fixed: Tensor) -> np.ndarray:
    """The atlas's organs (both (Z', Y', X')) on the grid of the scan (Z, Y, X), by the best scaling and translation."""
    found = coarse_alignments(moving, fixed)
    if not found:
        return np.zeros(fixed.shape)
    scale, shift = found[0]
    laid = _scaled(organs, scale).numpy()
    # Indices beyond the atlas are those of its border.
    index = [np.clip(np.arange(n) - s, 0, m - 1) for n, s, m in zip(fixed.shape, shift, laid.shape, strict=True)]
    return laid[np.ix_(*index)]


def coarse_alignments(moving: Tensor, fixed: Tensor) -> list[tuple[float, np.ndarray]]:
    """Scalings and translations that lay one volume (Z', Y', X') on another (Z, Y, X), the best correlated first.

    Returns:
        For each of :data:`SCALES` with a positive correlation the scale, and the best shift (z, y, x) in whole voxels:
        ``moving[p / scale]`` lies at ``fixed[p + shift]``.
    """
    return [(scale, shift) for correlation, scale, shift in _correlated(moving, fixed) if correlation > 0]


def best_correlation(moving: Tensor, fixed: Tensor) -> float:
    """Normalized cross-correlation of the best scaling and translation of one volume onto another."""
    return _correlated(moving, fixed)[0][0]


def _correlated(moving: Tensor, fixed: Tensor) -> list[tuple[float, float, np.ndarray]]:
    """The correlation, the scale and the best shift for each of :data:`SCALES`, the best first."""
    found = []
    for scale in SCALES:
        correlation, shift = _translation(fixed.numpy(), _scaled(moving, scale).numpy())
        found.append((correlation, scale, shift))
    return sorted(found, key=lambda one: -one[0])


def _scaled(volume: Tensor, scale: float) -> Tensor:
    """A volume (Z', Y', X') on a finer or coarser grid."""
    size = [max(1, round(scale * edge)) for edge in volume.shape]
    return F.interpolate(volume[None, None], size=size, mode="trilinear")[0, 0]


def _translation(fixed: np.ndarray, moving: np.ndarray) -> tuple[float, np.ndarray]:
    """The largest normalized cross-correlation, and the shift (z, y, x) in voxels: moving[p] lies at fixed[p + shift].

    Only what both show counts.
    """
    images = [sitk.GetImageFromArray(volume) for volume in (fixed, moving)]
    everywhere = [sitk.GetImageFromArray(np.ones(volume.shape, np.float32)) for volume in (fixed, moving)]
    correlation = sitk.GetArrayFromImage(sitk.MaskedFFTNormalizedCorrelation(*images, *everywhere, 0, OVERLAP))
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    return float(correlation[peak]), np.array(peak) - (np.array(moving.shape) - 1)
