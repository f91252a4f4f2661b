"""Position of the patch around the organs of a scan."""

from collections.abc import Sequence

import numpy as np


def organ_box(labels: np.ndarray, patch: Sequence[int]) -> list[list[int]]:
    """Bounds [start, stop] along z, y, x of the patch around the organs of a label map (Z, Y, X).

    The patch lies inside the scan. Along an axis where the scan is smaller than the patch, the scan is centred in the
    patch, and the bounds exceed the scan. Without organs the patch is at the centre of the scan.

    Args:
        labels: (Z, Y, X), 0 for background.
        patch: size (Z, Y, X) in voxels.
    """
    shape, size = np.array(labels.shape), np.array(patch)
    organs = np.argwhere(labels > 0)
    middle = (organs.min(0) + organs.max(0) + 1) // 2 if len(organs) else shape // 2
    inside = np.clip(middle - size // 2, 0, np.maximum(shape - size, 0))
    start = np.where(shape > size, inside, (shape - size) // 2)
    return [[int(first), int(first + extent)] for first, extent in zip(start, size, strict=True)]
