"""In which slices of a scan organs can be: whole annotated scans are laid on it, by a scaling and a translation.

A patch does not show where in the body it lies, and a few annotated scans may show no pelvis: a network that learned
from them finds organs in it. A whole scan does show it. The method needs no label of the scan, and no network.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .alignment import best_alignment, coarse


def possible_organs(
    scan: np.ndarray, atlases: Iterable[tuple[np.ndarray, np.ndarray]], spacing: Sequence[float], margin: float
) -> np.ndarray:
    """Where organs can be in a whole scan: in slices within ``margin`` of the organs of an atlas that is laid on it.

    Slices only: patients differ in width more than the alignment errs along the body, and a network that has learned
    the abdomen of a few patients needs to be told of the others' pelvis, not of their flanks.

    Each atlas is scaled and translated so that it correlates with the scan most, on a coarse grid (alignment.py).
    An organ that is cut by the border of the atlas's field of view goes on beyond it; if all organs are whole, there is
    none beyond it.

    Args:
        scan: image (Z, Y, X).
        atlases: images and labels (Z, Y, X) of whole annotated scans of the same modality.
        spacing: voxel size (z, y, x) in mm, of all of them.
        margin: in mm, along the first axis; patients differ, and the alignment errs.

    Returns:
        Boolean (Z, Y, X), equal within a slice.
    """
    fixed = coarse(torch.from_numpy(np.asarray(scan, np.float32)), spacing)
    organs = np.zeros(fixed.shape, bool)
    for image, labels in atlases:
        moving = coarse(torch.from_numpy(np.asarray(image, np.float32)), spacing)
        shares = coarse(torch.from_numpy(np.asarray(labels > 0, np.float32)), spacing)
        organs |= _laid(shares, moving, fixed) > 0.5
    edge = scan.shape[0] * spacing[0] / len(organs)
    slices = organs.any((1, 2))
    near = distance_transform_edt(~slices, sampling=edge) <= margin if slices.any() else np.ones_like(slices)
    finer = F.interpolate(torch.from_numpy(near)[None, None].float(), size=len(scan), mode="nearest-exact")
    return np.broadcast_to(finer[0, 0].numpy()[:, None, None] > 0, scan.shape)


def _laid(organs: Tensor, moving: Tensor, fixed: Tensor) -> np.ndarray:
    """The atlas's organs (both (Z', Y', X')) on the grid of the scan (Z, Y, X), by the best scaling and translation."""
    best = best_alignment(moving, fixed)
    if best is None:
        return np.zeros(fixed.shape)
    # Indices beyond the atlas are those of its border.
    index = [np.clip(v, 0, m - 1) for v, m in zip(best.voxels(fixed.shape), best.size, strict=True)]
    return best.scaled(organs)[np.ix_(*index)]
