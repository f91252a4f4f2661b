"""The place in a scan of a patch that shows the organs."""

from collections.abc import Sequence

import numpy as np


def organ_box(labels: np.ndarray, patch: Sequence[int]) -> list[list[int]]:
    """The patch around the organs of a label map (Z, Y, X), inside the scan; a smaller scan is centred in it."""
    shape, size = np.array(labels.shape), np.array(patch)
    organs = np.argwhere(labels > 0)
    middle = (organs.min(0) + organs.max(0) + 1) // 2 if len(organs) else shape // 2
    inside = np.clip(middle - size // 2, 0, np.maximum(shape - size, 0))
    start = np.where(shape > size, inside, (shape - size) // 2)
    return [[int(first), int(first + extent)] for first, extent in zip(start, size, strict=True)]
