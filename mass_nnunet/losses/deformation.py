"""Losses of a displacement field, as pure functions: smoothness and folding penalty."""

from torch import Tensor


def diffusion_loss(field: Tensor) -> Tensor:
    """Mean squared spatial gradient of a displacement field (B, 3, Z, Y, X) in voxels, the mean of the three axes."""
    field = field.float()
    z, y, x = (field.diff(dim=axis).square().mean() for axis in (2, 3, 4))
    return (z + y + x) / 3


def folding_penalty(determinant: Tensor, margin: float = 0.1) -> Tensor:
    """Folding (Jacobian) penalty: mean of max(0, ``margin`` - determinant); 0 for a field that does not fold.

    It acts on folded voxels only. A larger weight of :func:`diffusion_loss` would stiffen all other voxels as well.

    Args:
        determinant: (B, Z, Y, X), 1 for the identity, at most 0 where space is folded.
        margin: determinants below this are penalized.
    """
    return (margin - determinant.float()).clamp_min(0).mean()
