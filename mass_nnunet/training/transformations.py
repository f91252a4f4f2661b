"""Turns and scalings of a patch under which its segmentation must turn and scale alike."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mass_nnunet.registration.fields import voxel_grid, warp

SCALES = (0.9, 1.1)


def sample_transformations(count: int, shape: Sequence[int]) -> Tensor:
    """Random matrices (count, 3, 3) for :func:`transform`: turns that keep a patch (Z, Y, X) in shape, and a scaling.

    The turns are quarter turns about z (half turns where the patch is not square in its plane) and half turns about x,
    which are flips of two axes. A flip of one axis, whichever it is, would give the mirror image of a body, and organs
    have sides.
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
    """Each volume (B, C, Z, Y, X), turned and scaled about its centre, linearly and on its own grid, in float32.

    Beyond its border a volume goes on with its border values, so that probabilities still sum to one.

    Args:
        volume: images or probabilities.
        matrices: (B, 3, 3), in (z, y, x) order and in voxels; they pull back, so that a scaling s is a matrix I / s.
    """
    shape = volume.shape[2:]
    centre = torch.tensor([(size - 1) / 2 for size in shape], device=volume.device).view(1, 3, 1, 1, 1)
    offset = voxel_grid(shape, volume.device) - centre  # (1, 3, Z, Y, X)
    with torch.autocast(volume.device.type, enabled=False):  # as in warp: positions are no numbers for bfloat16
        source = torch.einsum("bij,jzyx->bizyx", matrices.to(volume.device), offset[0])
    return warp(volume, source - offset)
