"""Displacement fields: warp, change the grid, Jacobian determinant.

A field has shape (B, 3, Z, Y, X), is given in voxels of its own grid in (z, y, x) order, and pulls back: it lives on
the target's grid and says where in the atlas each voxel comes from, ``warped(p) = atlas(p + field(p))``.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def voxel_grid(shape: Sequence[int], device: torch.device) -> Tensor:
    """Voxel indices as a float32 tensor (1, 3, Z, Y, X) in (z, y, x) order."""
    axes = [torch.arange(size, device=device, dtype=torch.float32) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def warp(volume: Tensor, field: Tensor) -> Tensor:
    """Pull ``volume`` (B, C, Z, Y, X) back through ``field`` (B, 3, Z, Y, X), linearly, in float32.

    Outside the volume its border values are used, so that warped one-hot labels still sum to one.

    Raises:
        ValueError: the two grids differ.
    """
    shape = volume.shape[2:]
    if field.shape[2:] != shape:
        raise ValueError(f"field on grid {tuple(field.shape[2:])} cannot warp a volume on grid {tuple(shape)}")
    # Positions need more than the eight bits of precision that bfloat16 has.
    with torch.autocast(volume.device.type, enabled=False):
        position = _position(field)
        # grid_sample's convention for align_corners=False, and its order (x, y, z). No constant is copied to a GPU.
        axes = [(2 * position[axis] + 1) / shape[axis] - 1 for axis in (2, 1, 0)]
        grid = torch.stack(axes, -1)  # (B, Z, Y, X, 3)
        return F.grid_sample(volume.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def _position(field: Tensor) -> list[Tensor]:
    """Where each voxel comes from, in voxels: z, y and x, (B, Z, Y, X) each."""
    axes = [torch.arange(size, device=field.device, dtype=torch.float32) for size in field.shape[2:]]
    return [field[:, i].float() + index.view(*(-1 if i == j else 1 for j in range(3))) for i, index in enumerate(axes)]


def inside(field: Tensor) -> Tensor:
    """Which voxels :func:`warp` takes from inside the volume, not from beyond its border: boolean (B, 1, Z, Y, X)."""
    within = [(p > -0.5) & (p < size - 0.5) for p, size in zip(_position(field), field.shape[2:], strict=True)]
    return torch.stack(within, 1).all(1, keepdim=True)


def upsample(field: Tensor, shape: Sequence[int]) -> Tensor:
    """Bring a field to a finer grid ``shape`` (Z, Y, X); its values are in voxels and are scaled with the grid."""
    scaled = [field[:, i] * (shape[i] / field.shape[2 + i]) for i in range(3)]
    return F.interpolate(torch.stack(scaled, 1), size=tuple(shape), mode="trilinear", align_corners=False)


def downsample(volume: Tensor, shape: Sequence[int]) -> Tensor:
    """Mean over the voxels that each voxel of a coarser grid covers: (B, C, Z, Y, X) -> (B, C, *shape)."""
    z, y, x = shape
    return F.adaptive_avg_pool3d(volume, (z, y, x))


def jacobian_determinant(field: Tensor) -> Tensor:
    """Determinant of the Jacobian of p -> p + field(p), by forward differences: (B, Z-1, Y-1, X-1)."""
    field = field.float()
    corner = field[:, :, :-1, :-1, :-1]
    neighbours = (field[:, :, 1:, :-1, :-1], field[:, :, :-1, 1:, :-1], field[:, :, :-1, :-1, 1:])
    units = torch.eye(3, device=field.device).view(3, 1, 3, 1, 1, 1)
    z, y, x = (neighbour - corner + unit for neighbour, unit in zip(neighbours, units, strict=True))
    # The triple product is far cheaper than torch.linalg.det of millions of small matrices.
    return (torch.linalg.cross(z, y, dim=1) * x).sum(1)


def folding(determinant: Tensor) -> Tensor:
    """Share of folded voxels, with a Jacobian determinant <= 0: a scalar in [0, 1]."""
    return (determinant <= 0).float().mean()
