"""Where in a scan a patch is taken that shows the organs."""

from collections.abc import Sequence

import numpy as np


def organ_box(labels: np.ndarray, patch: Sequence[int]) -> list[list[int]]:
    """The patch around the organs of a label map (Z, Y, X), inside the scan; a smaller scan is centred in it."""
    shape, patch = np.array(labels.shape), np.array(patch)
    organs = np.argwhere(labels > 0)
    middle = (organs.min(0) + organs.max(0) + 1) // 2 if len(organs) else shape // 2
    inside = np.clip(middle - patch // 2, 0, np.maximum(shape - patch, 0))
    start = np.where(shape > patch, inside, (shape - patch) // 2)
    return [[int(first), int(first + size)] for first, size in zip(start, patch, strict=True)]
