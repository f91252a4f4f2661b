"""Masks for tests of metrics, and their conversion for MONAI."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

SPACING = (3.0, 1.5, 0.8)


def blob(seed: int, shape: tuple[int, ...] = (16, 32, 32)) -> np.ndarray:
    """A mask that does not touch the border, where MONAI has a surface and we have none."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return np.pad((smooth > np.percentile(smooth, 88))[1:-1, 1:-1, 1:-1], 1)


def box(start: Sequence[int], stop: Sequence[int], shape: tuple[int, ...] = (12, 20, 24)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def one_hot(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))
