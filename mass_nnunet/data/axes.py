"""The through-plane axis of scans: the one along which their slices are stacked."""

from collections import Counter
from collections.abc import Iterable, Sequence

THROUGH_PLANE_RATIO = 1.5
"""Voxels that are shorter than this along the through-plane axis, relative to both other axes, are nearly isotropic."""
AXES = "zyx"


def through_plane_axis(spacing: Sequence[float]) -> int | None:
    """Axis along which a scan's voxels are longest, or None for a scan that is nearly isotropic.

    Args:
        spacing: (Z, Y, X) in mm.
    """
    longest = max(range(len(spacing)), key=lambda axis: spacing[axis])
    others = [edge for axis, edge in enumerate(spacing) if axis != longest]
    return longest if spacing[longest] >= THROUGH_PLANE_RATIO * max(others) else None


def usual_axis(axes: Iterable[int | None]) -> int | None:
    """The through-plane axis of most scans, the first of several; None if none has one."""
    counts = Counter(axis for axis in axes if axis is not None)
    return min(counts, key=lambda axis: (-counts[axis], axis), default=None)
