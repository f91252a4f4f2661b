"""One spacing for all datasets of a group, at which the typical scan of each fits one patch."""

from collections.abc import Sequence

import numpy as np
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape

from mass_nnunet.errors import UserError

MIN_EDGE = 4
"""Shortest edge of the bottleneck, in voxels: nnU-Net's value."""
MIN_STAGES = 3
"""With fewer there is no scale for deep supervision, nor one below the finest for correspondences."""
MAX_POOLINGS = 999999
"""nnU-Net's value: no limit."""


def typical_extent(fingerprint: dict) -> np.ndarray:
    """Median extent (Z, Y, X) of a dataset's scans in mm, after nnU-Net's crop."""
    return np.median(np.array(fingerprint["shapes_after_crop"]) * np.array(fingerprint["spacings"]), axis=0)


def group_spacing(fingerprints: Sequence[dict], patch: Sequence[int]) -> np.ndarray:
    """Spacing (Z, Y, X) in mm at which the typical scan of each dataset fits the patch, and the largest one fills it.

    Args:
        fingerprints: of the datasets.
        patch: (Z, Y, X), in voxels.
    """
    return np.max([typical_extent(fingerprint) for fingerprint in fingerprints], axis=0) / np.array(patch)


def share_that_fits(fingerprint: dict, spacing: np.ndarray, patch: Sequence[int]) -> float:
    """Share of a dataset's scans, 0 to 1, that fit one patch at this spacing."""
    scans = zip(fingerprint["shapes_after_crop"], fingerprint["spacings"], strict=True)
    fits = [np.all(compute_new_shape(shape, old, spacing) <= np.array(patch)) for shape, old in scans]
    return float(np.mean(fits))


def topology(spacing: Sequence[float] | np.ndarray, patch: Sequence[int]) -> tuple[tuple, tuple, tuple[int, ...]]:
    """Strides and kernel sizes of each stage by nnU-Net's rules, and the patch padded to a multiple of the strides."""
    _, strides, kernels, padded, _ = get_pool_and_conv_props(spacing, patch, MIN_EDGE, MAX_POOLINGS)
    return strides, kernels, tuple(int(size) for size in padded)


def check_patch(fingerprints: Sequence[dict], patch: Sequence[int]) -> None:
    """Make sure that nnU-Net's rules leave the patch unchanged.

    Raises:
        UserError: they would pad it, or it is too small to be pooled twice; the message names the next larger patch
            that they leave unchanged.
    """
    valid = [max(1, size) for size in patch]
    while True:
        strides, _, padded = topology(group_spacing(fingerprints, valid), valid)
        if list(padded) != valid:
            valid = list(padded)
        elif len(strides) < MIN_STAGES:
            valid = [max(size, 2 ** (MIN_STAGES - 1) * MIN_EDGE) for size in valid]
        else:
            break
    if valid != list(patch):
        asked, better = (" ".join(str(size) for size in sizes) for sizes in (patch, valid))
        raise UserError(f"--patch-size {asked} is not what the network's strides divide: use {better}")
