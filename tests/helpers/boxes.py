"""Organs that are boxes on a small grid."""

import numpy as np

SHAPE = (8, 12, 12)


def box(*sides: tuple[int, int]) -> np.ndarray:
    """Shares (Z, Y, X) of an organ that fills the voxels from the first to before the last along each axis."""
    found = np.zeros(SHAPE, np.float32)
    found[tuple(slice(*side) for side in sides)] = 1
    return found


TRUTH = box((2, 6), (2, 6), (2, 6))
