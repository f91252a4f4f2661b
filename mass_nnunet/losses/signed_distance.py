"""Signed distances to the surfaces of organs, and the losses of a network that predicts them as a second task."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt
from torch import Tensor

STEEPNESS = 1500.0
"""k in sigmoid(-k d), which is then close to a step function at the surface of the organ (DTC)."""


def signed_distance(mask: np.ndarray, spacing: Sequence[float], unknown: np.ndarray | None = None) -> np.ndarray:
    """Distance to the surface of a mask: 0 on it, negative inside, positive outside; either side is scaled to 1.

    The surface is the set of voxels of the mask with a neighbour outside. An empty mask gives 1 everywhere, a full mask
    gives -1 everywhere.

    If it is not known whether some voxels are in the mask, these and their neighbours in the mask may be on the
    surface. The distance is known at each voxel that is at least as close to the known surface as to any of them.

    Args:
        mask: (Z, Y, X), boolean.
        spacing: voxel size (z, y, x), in any unit.
        unknown: (Z, Y, X), boolean, of voxels outside the mask; None for none of them.

    Returns:
        (Z, Y, X), float32, from -1 to 1; NaN where it is not known.
    """
    is_certain = unknown is None or not unknown.any()
    if is_certain and (mask.all() or not mask.any()):
        return np.where(mask, np.float32(-1), np.float32(1))
    surface = mask & ~binary_erosion(mask if is_certain else mask | unknown, border_value=1)
    if not surface.any():
        return np.full(mask.shape, np.nan, np.float32)
    distance = distance_transform_edt(~surface, sampling=spacing)
    if not is_certain:
        possible = binary_dilation(unknown) & (mask | unknown)
        distance[distance > distance_transform_edt(~possible, sampling=spacing)] = np.nan
    # A thin mask is all surface, and where little is known it may be all that is known.
    inside, outside = (np.nanmax(distance[side], initial=0) or 1 for side in (mask, ~mask))
    return np.where(mask, -distance / inside, distance / outside).astype(np.float32)


def distance_loss(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference of signed distances (B, K - 1, Z, Y, X), where the reference is not NaN (DTC, L_SDF)."""
    known = ~reference.isnan()
    difference = prediction.float() - reference.nan_to_num()
    return (difference.square() * known).sum() / known.sum().clamp_min(1)


def dual_task_loss(distances: Tensor, logits: Tensor) -> Tensor:
    """Mean squared difference between the soft labels of the two tasks (DTC, L_DTC); it needs no annotation.

    Args:
        distances: (B, K - 1, Z, Y, X), negative inside; sigmoid(-1500 d) is the organ's soft label.
        logits: (B, K, Z, Y, X); their softmax without the background is the soft label of the same organs.
    """
    return (torch.sigmoid(-STEEPNESS * distances.float()) - logits.float().softmax(1)[:, 1:]).square().mean()
