"""The translation that lays the organs of one scan on those of another: where a registration starts from.

Scans of real size are seen in patches. Two patches need not show the same part of the body, and a displacement field
that starts from zero would map what is far apart.
"""

import torch
from torch import Tensor

from .fields import downsample

EPSILON = 1e-3
"""In voxels; where there are no organs, no translation is better than another one."""
GRID = 32
"""Most voxels along an axis of the grid on which images are compared."""
OVERLAP = 0.5
"""Least share of the patch that two images share after a translation."""


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
    return _best(dice)


@torch.compiler.disable
@torch.no_grad()
def best_image_translation(moving: Tensor, fixed: Tensor) -> Tensor:
    """Shifts (B, 3) in voxels, with which the normalized cross-correlation of two images of one modality is largest.

    ``moving[p]`` then lies at ``fixed[p + shift]``. Only what both show counts, at least :data:`OVERLAP` of the patch
    (Padfield, Masked object registration in the Fourier domain, IEEE Transactions on Image Processing 2012). The
    images are compared on a grid of at most :data:`GRID` voxels along an axis. It needs no label and has no gradient.

    Args:
        moving: images (B, C, Z, Y, X); the first channel is used.
        fixed: the same, or one scan (1, C, Z, Y, X) for all.
    """
    shape = [min(size, GRID) for size in fixed.shape[2:]]
    double = [2 * size for size in shape]
    with torch.autocast(fixed.device.type, enabled=False):
        coarse = (downsample(image[:, :1].float(), shape)[:, 0] for image in (moving, fixed))
        m, f = (image - image.mean((1, 2, 3), keepdim=True) for image in coarse)

        def spectrum(image: Tensor) -> Tensor:
            return torch.fft.rfftn(image, double, dim=(-3, -2, -1))

        def sums(of_fixed: Tensor, of_moving: Tensor) -> Tensor:
            """Sums of the products over the overlap, for each shift: (B, 2Z, 2Y, 2X)."""
            return torch.fft.irfftn(of_fixed * of_moving.conj(), double, dim=(-3, -2, -1))

        ones = spectrum(torch.ones_like(f[:1]))
        count = sums(ones, ones).round()
        n = count.clamp_min(1)
        by_fixed, by_moving = sums(spectrum(f), ones), sums(ones, spectrum(m))
        product = sums(spectrum(f), spectrum(m)) - by_fixed * by_moving / n
        spread = (sums(spectrum(f.square()), ones) - by_fixed.square() / n).clamp_min(0)
        its_spread = (sums(ones, spectrum(m.square())) - by_moving.square() / n).clamp_min(0)
        correlation = product / (spread * its_spread).sqrt().clamp_min(1e-6)
        shifts = _best(torch.where(count < OVERLAP * f[0].numel(), -1.0, correlation))
        edges = [big / small for big, small in zip(fixed.shape[2:], shape, strict=True)]  # of the grid, in voxels
        return torch.stack([shifts[:, axis] * edge for axis, edge in enumerate(edges)], 1)


def _best(scores: Tensor) -> Tensor:
    """The shifts (B, 3) of the largest scores (B, 2Z, 2Y, 2X), in the order of a Fourier transform of twice the size.

    Of equally good shifts the shortest is taken, which is also the one for a scan that shows nothing.
    """
    axes = [_signed(size // 2, scores.device) for size in scores.shape[1:]]
    index = torch.stack(torch.meshgrid(*axes, indexing="ij"))  # (3, 2Z, 2Y, 2X)
    length = index.square().sum(0).sqrt()
    best = (scores - EPSILON * length / length.max()).flatten(1).argmax(1)
    return index.flatten(1).T[best].float()


def _signed(size: int, device: torch.device) -> Tensor:
    """The shifts 0, 1, ..., size - 1, -size, ..., -1 in the order of a Fourier transform of twice the size."""
    shifts = torch.arange(2 * size, device=device)
    return torch.where(shifts < size, shifts, shifts - 2 * size).float()
