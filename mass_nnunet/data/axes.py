"""The axes of scans: where they point, along which one the slices are stacked, and how to make them alike.

The directions of a scan's axes are an array (3, 3): a row for each of its axes Z, Y, X, as unit vectors in LPS
coordinates (towards the patient's left, back and head).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np

THROUGH_PLANE_RATIO = 1.5
"""Voxels that are shorter than this along the through-plane axis, relative to both other axes, are nearly isotropic."""
AXES = "zyx"
OBLIQUE_DEGREES = 30
"""Angle from which on the nearest anatomical axis of slices may differ between scans with the same planning."""
# The program dcm2niix usually stores axial slices from feet to head, coronal ones from front to back and sagittal ones
# from left to right, rows from bottom to top, and left-handed axes x, y, z. Here the same holds at all angles.
_STACK = np.array([-1.0, 1.0, 1.0])  # slices run to the right, back and head
_ROWS = np.array([0.0, -0.1, 1.0])  # rows run to the head, or to the front in slices that are nearly axial


def through_plane_axis(spacing: Sequence[float]) -> int | None:
    """Axis along which a scan's voxels are longest, or None for a scan that is nearly isotropic.

    Args:
        spacing: (Z, Y, X) in mm.
    """
    longest = max(range(len(spacing)), key=lambda axis: spacing[axis])
    others = [edge for axis, edge in enumerate(spacing) if axis != longest]
    # Headers round: without a tolerance, a scan of 1 x 1 x 1.5 mm and its label map may differ.
    return longest if spacing[longest] >= THROUGH_PLANE_RATIO * max(others) * (1 - 1e-4) else None


def usual_axis(axes: Iterable[int | None]) -> int | None:
    """The through-plane axis of most scans, the first of several; None if none has one."""
    counts = Counter(axis for axis in axes if axis is not None)
    return min(counts, key=lambda axis: (-counts[axis], axis), default=None)


def tilt(directions: np.ndarray, spacing: Sequence[float]) -> float | None:
    """Angle in degrees between the through-plane axis and the nearest anatomical axis, 0 to 54.7.

    Args:
        directions: (3, 3), of the axes Z, Y, X.
        spacing: (Z, Y, X) in mm.

    Returns:
        The angle; None for a scan that is nearly isotropic.
    """
    axis = through_plane_axis(spacing)
    return None if axis is None else float(np.degrees(np.arccos(min(1.0, np.abs(directions[axis]).max()))))


def stacked_axes(directions: np.ndarray, spacing: Sequence[float]) -> list[tuple[int, int]]:
    """The order and direction of axes that put a scan's slices first and the head up, without resampling.

    The result depends on where the axes point, not on how the scan is stored: all 48 orders and directions of its axes
    come out alike. The program dcm2niix usually stores slices like this.

    Args:
        directions: (3, 3), of the axes Z, Y, X as stored.
        spacing: (Z, Y, X) in mm. Without a through-plane axis the stored Z is taken.

    Returns:
        The stored axis (0, 1, 2) and its sign for each of the new axes Z, Y, X.
    """
    slices = through_plane_axis(spacing) or 0
    across, rows = sorted((axis for axis in range(3) if axis != slices), key=lambda axis: abs(directions[axis] @ _ROWS))
    along, up = _sign(directions[slices] @ _STACK), _sign(directions[rows] @ _ROWS)
    right_handed = np.linalg.det([directions[across], up * directions[rows], along * directions[slices]]) > 0
    return [(slices, along), (rows, up), (across, -1 if right_handed else 1)]


def _sign(value: float) -> int:
    return -1 if value < 0 else 1


def unlike_axes(scans: Sequence[np.ndarray]) -> list[bool]:
    """Whether another order or direction of a scan's axes would be more like most of the scans.

    Args:
        scans: directions (3, 3) of each scan.
    """
    usual = np.sum(scans, axis=0)
    found = []
    for directions in scans:
        likeness = np.asarray(directions) @ usual.T
        best = max(sum(abs(likeness[axis, new]) for new, axis in enumerate(order)) for order in permutations(range(3)))
        found.append(bool(best > np.trace(likeness) + 1e-6 * len(scans)))
    return found
