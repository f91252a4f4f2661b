"""Signed distances to the surfaces of organs, and losses of a network that predicts them beside the labels."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor

STEEPNESS = 1500.0
"""k, at which sigmoid(-k d) is all but the step from an organ to its outside (DTC)."""


def signed_distance(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distance to the surface of a mask: 0 on it, negative inside, positive outside; the largest of either side is 1.

    The surface is the voxels of the mask that have a neighbour outside. A mask that is nowhere is 1 everywhere, one
    that is everywhere is -1.

    Args:
        mask: (Z, Y, X), boolean.
        spacing: of the voxels (Z, Y, X), in any unit.

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
    """Mean squared difference between the labels that distances and logits stand for (DTC, L_DTC): no label is needed.

    Args:
        distances: (B, K - 1, Z, Y, X), negative inside; sigmoid(-1500 d) is the organ's smooth label.
        logits: (B, K, Z, Y, X), whose softmax has the same organs after the background.
    """
    return (torch.sigmoid(-STEEPNESS * distances.float()) - logits.float().softmax(1)[:, 1:]).square().mean()
