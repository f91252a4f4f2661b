"""Rotations and scalings of a patch, for a consistency of segmentations under them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mass_nnunet.registration.fields import inside, voxel_grid, warp

TURN = 30.0
"""Largest rotation about z, in degrees, as in the augmentation. No patient lies on the side or upside down."""
SCALES = (0.9, 1.1)


def sample_transformations(count: int, device: torch.device) -> Tensor:
    """Random matrices (count, 3, 3) for :func:`transform`: a rotation about z by at most :data:`TURN`, and a scaling.

    There is no mirroring, because left and right organs differ.

    Args:
        count: number of matrices.
        device: where they are sampled.
    """
    angles = math.radians(TURN) * (2 * torch.rand(count, device=device) - 1)
    cosine, sine = angles.cos(), angles.sin()
    matrices = torch.eye(3, device=device).repeat(count, 1, 1)
    matrices[:, 1, 1], matrices[:, 1, 2], matrices[:, 2, 1], matrices[:, 2, 2] = cosine, -sine, sine, cosine
    low, high = SCALES
    return matrices / (low + (high - low) * torch.rand(count, 1, 1, device=device))


def transform(volume: Tensor, matrices: Tensor) -> Tensor:
    """Rotate and scale each volume (B, C, Z, Y, X) about its centre, with linear interpolation, in float32.

    Outside the volume its border values are used, so that probabilities still sum to one (see :func:`shown`).

    Args:
        volume: images or probabilities.
        matrices: (B, 3, 3), in (z, y, x) order and in voxels. They map target to source: a scaling by s is I / s.
    """
    return warp(volume, _field(volume.shape[2:], matrices))


def shown(shape: Sequence[int], matrices: Tensor) -> Tensor:
    """Which voxels of a transformed patch (Z, Y, X) are not from beyond its border: boolean (B, 1, Z, Y, X)."""
    return inside(_field(shape, matrices))


def _field(shape: Sequence[int], matrices: Tensor) -> Tensor:
    """The displacement field (B, 3, Z, Y, X) of each transformation."""
    grid = voxel_grid(shape, matrices.device)  # (1, 3, Z, Y, X)
    offset = grid - grid[..., -1:, -1:, -1:] / 2
    with torch.autocast(matrices.device.type, enabled=False):  # as in warp: positions need more precision
        return torch.einsum("bij,jzyx->bizyx", matrices, offset[0]) - offset
