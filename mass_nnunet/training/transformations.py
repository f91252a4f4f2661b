"""Rotations and scalings of a patch, for a consistency of segmentations under them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mass_nnunet.registration.fields import voxel_grid, warp

SCALES = (0.9, 1.1)


def sample_transformations(count: int, shape: Sequence[int]) -> Tensor:
    """Random matrices (count, 3, 3) for :func:`transform`: a rotation that keeps the patch's shape, and a scaling.

    Rotations are by multiples of 90 degrees about z (of 180 degrees if the patch is not square in plane) and by 0 or
    180 degrees about x. There is no mirroring, because left and right organs differ.

    Args:
        count: number of matrices.
        shape: size of the patch (Z, Y, X).
    """
    quarter = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    about_x = torch.diag(torch.tensor([-1.0, -1, 1]))
    step = 1 if shape[1] == shape[2] else 2
    low, high = SCALES
    matrices = []
    for _ in range(count):
        turns = step * int(torch.randint(4 // step, ()))
        matrix = torch.matrix_power(quarter, turns) @ torch.matrix_power(about_x, int(torch.randint(2, ())))
        matrices.append(matrix / (low + (high - low) * torch.rand(())))
    return torch.stack(matrices)


def transform(volume: Tensor, matrices: Tensor) -> Tensor:
    """Rotate and scale each volume (B, C, Z, Y, X) about its centre, with linear interpolation, in float32.

    Outside the volume its border values are used, so that probabilities still sum to one.

    Args:
        volume: images or probabilities.
        matrices: (B, 3, 3), in (z, y, x) order and in voxels. They map target to source: a scaling by s is I / s.
    """
    shape = volume.shape[2:]
    centre = torch.tensor([(size - 1) / 2 for size in shape], device=volume.device).view(1, 3, 1, 1, 1)
    offset = voxel_grid(shape, volume.device) - centre  # (1, 3, Z, Y, X)
    with torch.autocast(volume.device.type, enabled=False):  # as in warp: positions need more precision
        source = torch.einsum("bij,jzyx->bizyx", matrices.to(volume.device), offset[0])
    return warp(volume, source - offset)
