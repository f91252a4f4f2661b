"""Position of the patch around the organs of a scan."""

from collections.abc import Sequence

import numpy as np


def organ_box(labels: np.ndarray, patch: Sequence[int]) -> list[list[int]]:
    """Bounds [start, stop] along z, y, x of the patch that holds most organ voxels of a label map (Z, Y, X).

    The patch lies inside the scan. Along an axis where the scan is smaller than the patch, the scan is centred in the
    patch, and the bounds exceed the scan. Of all patches that hold as much, as where all organs fit, it is the one with
    the organs in its middle. Without organs the patch is at the centre of the scan.

    Args:
        labels: (Z, Y, X), 0 for background.
        patch: size (Z, Y, X) in voxels.
    """
    shape, size = np.array(labels.shape), np.array(patch)
    held = labels > 0
    for axis, extent in enumerate(patch):
        held = _window_sums(held, axis, min(extent, labels.shape[axis]))
    best = np.argwhere(held == held.max())  # the starts of the patches that hold most
    organs = best[0] + np.argwhere(labels[tuple(map(slice, best[0], best[0] + size))] > 0)  # in one of them
    middle = (organs.min(0) + organs.max(0) + 1) // 2 if len(organs) else shape // 2
    centred = best[np.abs(best - (middle - size // 2)).sum(1).argmin()]
    start = np.where(shape > size, centred, (shape - size) // 2)
    return [[int(first), int(first + extent)] for first, extent in zip(start, size, strict=True)]


def _window_sums(volume: np.ndarray, axis: int, width: int) -> np.ndarray:
    """Sums over all windows of ``width`` voxels along an axis, which becomes shorter by ``width`` - 1."""
    sums = np.cumsum(volume, axis, dtype=np.int64)
    before = np.insert(sums, 0, 0, axis)
    return np.take(before, range(width, before.shape[axis]), axis) - np.take(
        before, range(before.shape[axis] - width), axis
    )
