"""Signed distances to the surfaces of organs, and the losses of a network that predicts them as a second task."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor

STEEPNESS = 1500.0
"""k in sigmoid(-k d), which is then close to a step function at the surface of the organ (DTC)."""


def signed_distance(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distance to the surface of a mask: 0 on it, negative inside, positive outside; either side is scaled to 1.

    The surface is the set of voxels of the mask with a neighbour outside. An empty mask gives 1 everywhere, a full mask
    gives -1 everywhere.

    Args:
        mask: (Z, Y, X), boolean.
        spacing: voxel size (z, y, x), in any unit.

    Returns:
        (Z, Y, X), float32, from -1 to 1.
    """
    if mask.all() or not mask.any():
        return np.where(mask, np.float32(-1), np.float32(1))
    surface = mask & ~binary_erosion(mask, border_value=1)
    distance = distance_transform_edt(~surface, sampling=spacing)
    inside, outside = distance[mask].max(), distance[~mask].max()
    # A thin mask is all surface.
    return np.where(mask, -distance / (inside or 1), distance / outside).astype(np.float32)


def distance_loss(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference of signed distances (B, K - 1, Z, Y, X) (DTC, L_SDF)."""
    return (prediction.float() - reference).square().mean()


def dual_task_loss(distances: Tensor, logits: Tensor) -> Tensor:
    """Mean squared difference between the soft labels of the two tasks (DTC, L_DTC); it needs no annotation.

    Args:
        distances: (B, K - 1, Z, Y, X), negative inside; sigmoid(-1500 d) is the organ's soft label.
        logits: (B, K, Z, Y, X); their softmax without the background is the soft label of the same organs.
    """
    return (torch.sigmoid(-STEEPNESS * distances.float()) - logits.float().softmax(1)[:, 1:]).square().mean()
