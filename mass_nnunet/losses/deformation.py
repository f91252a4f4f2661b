"""Losses of a displacement field, as pure functions: its smoothness and its folding."""

from torch import Tensor


def diffusion_loss(field: Tensor) -> Tensor:
    """Mean squared spatial gradient of a displacement field (B, 3, Z, Y, X) in voxels, the mean of the three axes."""
    field = field.float()
    return sum(field.diff(dim=axis).square().mean() for axis in (2, 3, 4)) / 3


def unfolding_loss(determinant: Tensor, margin: float = 0.1) -> Tensor:
    """Mean of what a Jacobian determinant lacks to ``margin``: 0 for a field that nowhere folds or all but collapses.

    Where a field only folds a few voxels, a larger :func:`diffusion_loss` would stiffen all the others.

    Args:
        determinant: (B, Z, Y, X), 1 for the identity, at most 0 where space is folded.
        margin: the least determinant that costs nothing.
    """
    return (margin - determinant.float()).clamp_min(0).mean()
