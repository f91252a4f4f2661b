"""The patch of a group: its default, the network's stages that follow from it, and smaller ones by nnU-Net's rules."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from nnunetv2.configuration import ANISO_THRESHOLD
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

from mass_nnunet.errors import UserError

from .spacing import Rule, group_spacing, typical_shape

MIN_EDGE = 4
"""Shortest edge of the bottleneck, in voxels: nnU-Net's value."""
MIN_STAGES = 3
"""With fewer there is no scale for deep supervision, nor one below the finest for correspondences."""
SHORTEST = 2 ** (MIN_STAGES - 1) * MIN_EDGE
"""Edge in voxels that gives ``MIN_STAGES`` stages."""
MAX_POOLINGS = 999999
"""nnU-Net's value: no limit."""
SLAB = (32, 256, 256)
"""The default patch of a grid with thick slices, which is the paper's: voxels along the slices' axis, then in plane."""
VOXELS = int(np.prod(SLAB))
"""Voxels that a default patch may have."""
START = 256**3
"""Voxels of the patch that nnU-Net begins with, before it makes the patch smaller."""


class Topology(NamedTuple):
    """Strides and kernel sizes of each stage, the patch padded to a multiple of all strides, and these multiples."""

    strides: tuple
    kernels: tuple
    patch: tuple[int, ...]
    multiples: tuple[int, ...]


def topology(spacing: Sequence[float] | np.ndarray, patch: Sequence[int]) -> Topology:
    """The stages that nnU-Net's rules give for a patch (Z, Y, X) in voxels at a spacing in mm."""
    _, strides, kernels, padded, multiples = get_pool_and_conv_props(spacing, patch, MIN_EDGE, MAX_POOLINGS)
    return Topology(strides, kernels, tuple(int(size) for size in padded), tuple(int(m) for m in multiples))


def check_patch(fingerprints: Sequence[dict], patch: Sequence[int], rule: Rule) -> None:
    """Make sure that nnU-Net's rules leave the patch unchanged at the spacing that the rule gives.

    Raises:
        UserError: they would pad it, or it is too small to be pooled twice; the message names the next larger patch
            that they leave unchanged.
    """
    valid = _valid([max(1, size) for size in patch], lambda sizes: group_spacing(fingerprints, sizes, rule))
    if valid != list(patch):
        asked, better = (" ".join(str(size) for size in sizes) for sizes in (patch, valid))
        raise UserError(f"--patch-size {asked} is not what the network's strides divide: use {better}")


def default_patch(fingerprints: Sequence[dict], rule: Rule) -> list[int]:
    """The patch (Z, Y, X) in voxels where the user gives none.

    With ``fit``, which makes the spacing from the patch, and where one axis of the grid is at least three times as
    coarse as the others (nnU-Net's threshold), it is ``SLAB``, the short edge along the coarse axis. Elsewhere it is
    found as nnU-Net finds its own: in the aspect of 1 / spacing, no longer than the typical scan, then made smaller
    until it has at most ``VOXELS`` voxels, where nnU-Net has a limit of memory.
    """
    if rule == "fit":
        return list(SLAB)
    spacing = group_spacing(fingerprints, SLAB, rule)
    coarse = int(np.argmax(spacing))
    if spacing[coarse] >= ANISO_THRESHOLD * np.delete(spacing, coarse).max():
        slab = [SLAB[1]] * 3
        slab[coarse] = SLAB[0]
        return slab
    shape = typical_shape(fingerprints, spacing)
    aspect = 1 / spacing
    wanted = np.round(aspect * (START / aspect.prod()) ** (1 / 3))
    clipped = np.maximum(np.minimum(wanted, shape), SHORTEST).astype(int)
    patch = _valid(clipped.tolist(), lambda _: spacing)
    while np.prod(patch) > VOXELS and (smaller := smaller_patch(patch, spacing, shape)):
        patch = smaller
    return patch


def smaller_patch(
    patch: Sequence[int], spacing: Sequence[float] | np.ndarray, shape: Sequence[float] | np.ndarray
) -> list[int] | None:
    """The next smaller patch that the network's strides divide, by nnU-Net's rule; None if there is none.

    The edge that is longest relative to the typical scan is shortened by the least step that the strides allow. Where
    nnU-Net's padding would undo this, and nnU-Net would not end, the edge is shortened further.

    Args:
        patch: (Z, Y, X) in voxels, a multiple of the strides.
        spacing: (Z, Y, X) in mm.
        shape: of the typical scan, in voxels.

    Returns:
        None if the network would have fewer than ``MIN_STAGES`` stages.
    """
    axis = int(np.argmax(np.array(patch) / np.array(shape)))

    def shortened(step: int) -> Topology | None:
        sizes = list(patch)
        sizes[axis] -= step
        return topology(spacing, sizes) if sizes[axis] > 0 else None

    # A patch may be shortened by less than its own multiple: by that of the patch that is shortened once.
    first = shortened(topology(spacing, patch).multiples[axis])
    step = 1 if first is None else first.multiples[axis]
    while (found := shortened(step)) is not None and len(found.strides) >= MIN_STAGES:
        if np.prod(found.patch) < np.prod(patch):
            return list(found.patch)
        step += 1
    return None


def within_memory(
    gigabytes: float,
    patch: Sequence[int],
    batch: int,
    *,
    estimate: Callable[[Sequence[int], int], float],
    smaller: Callable[[Sequence[int]], Sequence[int] | None],
) -> tuple[list[int], int]:
    """The patch and the batch that fit into so much memory; as in nnU-Net the patch is found for a batch of 2.

    Args:
        gigabytes: the memory.
        patch: the largest patch (Z, Y, X), in voxels.
        batch: the largest batch.
        estimate: memory in GB of a patch and a batch.
        smaller: the next smaller patch, or None.

    Raises:
        UserError: no patch is small enough.
    """
    least = min(2, batch)  # an annotated scan that is alone would be its own atlas
    fitting = list(patch)
    while (needed := estimate(fitting, least)) > gigabytes:
        if (next_smaller := smaller(fitting)) is None:
            raise UserError(
                f"a patch of {' x '.join(map(str, fitting))} voxels and a batch of {least} take about {needed:.1f} GB, "
                f"and {gigabytes:g} GB are given: give a smaller --patch-size, fewer --features or more --gpu-memory"
            )
        fitting = list(next_smaller)
    while batch > least and estimate(fitting, batch) > gigabytes:
        batch -= 1
    return fitting, batch


def _valid(patch: list[int], spacing: Callable[[list[int]], np.ndarray]) -> list[int]:
    """The smallest patch, not below this one, that the strides divide and that gives enough stages."""
    while True:
        stages = topology(spacing(patch), patch)
        if list(stages.patch) != patch:
            patch = list(stages.patch)
        elif len(stages.strides) < MIN_STAGES:
            patch = [max(size, SHORTEST) for size in patch]
        else:
            return patch
