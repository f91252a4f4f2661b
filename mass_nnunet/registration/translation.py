"""The translation that lays the organs of one scan on those of another: where a registration starts from.

Scans of real size are seen in patches. Two patches need not show the same part of the body, and a displacement field
that starts from zero would map what is far apart.
"""

import torch
from torch import Tensor

EPSILON = 1e-3
"""In voxels; where there are no organs, no translation is better than another one."""


def best_translation(moving: Tensor, fixed: Tensor) -> Tensor:
    """Shifts (B, 3) in whole voxels, with which the soft Dice of all organs together is largest.

    ``moving[p]`` then lies at ``fixed[p + shift]``. What leaves the grid does not count. All shifts are compared at
    once, by cross-correlation in the Fourier domain.

    Args:
        moving: class shares (B, K, Z, Y, X), the background first.
        fixed: the same, or one scan (1, K, Z, Y, X) for all.
    """
    shape = fixed.shape[2:]
    double = [2 * size for size in shape]
    with torch.autocast(fixed.device.type, enabled=False):
        m, f = moving[:, 1:].float(), fixed[:, 1:].float()
        everywhere = torch.fft.rfftn(torch.ones_like(f[:1, 0]), double, dim=(-3, -2, -1))
        moved = torch.fft.rfftn(m, double, dim=(-3, -2, -1)).conj()  # (B, K - 1, ...)
        common = torch.fft.rfftn(f, double, dim=(-3, -2, -1)) * moved
        common = torch.fft.irfftn(common.sum(1), double, dim=(-3, -2, -1))  # (B, 2Z, 2Y, 2X)
        staying = torch.fft.irfftn(everywhere * moved.sum(1), double, dim=(-3, -2, -1))
    dice = 2 * common / (staying + f.sum((1, 2, 3, 4)).view(-1, 1, 1, 1) + EPSILON)
    # Of equally good shifts, the shortest: this is also the one for a scan without organs.
    index = torch.stack(torch.meshgrid(*(_signed(size, f.device) for size in shape), indexing="ij"))  # (3, 2Z, 2Y, 2X)
    length = index.square().sum(0).sqrt()
    best = (dice - EPSILON * length / length.max()).flatten(1).argmax(1)
    return index.flatten(1).T[best].float()


def _signed(size: int, device: torch.device) -> Tensor:
    """The shifts 0, 1, ..., size - 1, -size, ..., -1 in the order of a Fourier transform of twice the size."""
    shifts = torch.arange(2 * size, device=device)
    return torch.where(shifts < size, shifts, shifts - 2 * size).float()
