"""Global intensity non-linear augmentation (GIN): the appearance of a scan after a random shallow network."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .augmentation import SHARE

LAYERS = 4
CHANNELS = 2
"""Channels between the layers."""
KERNELS = (1, 3)
"""Sides of a layer's kernel in plane, one of which is chosen at random."""


def random_convolutions(scans: Tensor) -> Tensor:
    """Mix a share :data:`augmentation.SHARE` of the scans with their images by a random network.

    This is GIN (Ouyang et al., Causality-inspired single-source domain generalization for medical image segmentation,
    IEEE TMI 2022, eq. 2), without the paper's interventional pseudo-correlation augmentation: g(x) is a network of
    :data:`LAYERS` convolutions with leaky ReLU between them, whose weights and shifts are standard normal and sampled
    for each scan and step; the result is alpha g(x) + (1 - alpha) x with alpha uniform in [0, 1], scaled to the
    Frobenius norm of x. As in the paper, where networks are two-dimensional, a kernel has one slice.

    Different here: a share of the scans stays as it is, as with random organ contrast.

    Args:
        scans: (B, C, Z, Y, X).

    Returns:
        Scans (B, C, Z, Y, X).
    """
    alpha, chance = torch.rand(2, len(scans), 1, 1, 1, 1, device=scans.device)
    changed = torch.lerp(scans, random_network(scans), alpha)
    norm, its_norm = (torch.linalg.vector_norm(x, dim=(1, 2, 3, 4), keepdim=True) for x in (scans, changed))
    return torch.where(chance < SHARE, changed * (norm / its_norm.clamp_min(1e-6)), scans)


def random_network(scans: Tensor) -> Tensor:
    """Scans (B, C, Z, Y, X) after a random network, a different one for each scan; the same shape."""
    count, channels = scans.shape[:2]
    widths = [channels, *[CHANNELS] * (LAYERS - 1), channels]
    grouped = scans.flatten(0, 1)[None]  # (1, B C, Z, Y, X): one group of channels a scan
    for layer, (before, after) in enumerate(pairwise(widths)):
        side = int(np.random.choice(KERNELS))  # noqa: NPY002, what nnU-Net draws from
        weights = torch.randn(count * after, before, 1, side, side, device=scans.device)
        shifts = torch.randn(count * after, device=scans.device)
        if layer:
            grouped = F.leaky_relu(grouped)
        grouped = F.conv3d(grouped, weights, shifts, padding=(0, side // 2, side // 2), groups=count)
    return grouped.view_as(scans)
