"""A small body with two organs, on the coarse grid of quality."""

import numpy as np

from mass_nnunet.data.pose import Pose
from mass_nnunet.quality.grid import Coarse, Lattice

UPRIGHT = Lattice(Pose.UPRIGHT, 10.0)


def scan(
    shift: tuple[int, int, int] = (0, 0, 0), shape: tuple[int, int, int] = (20, 24, 24)
) -> tuple[Coarse, np.ndarray]:
    """A body with two organs, moved by some voxels of 10 mm."""
    z, y, x = np.indices(shape)
    centre = np.array(shape) / 2 + shift
    body = ((y - centre[1]) / 9) ** 2 + ((x - centre[2]) / 10) ** 2 < 1
    one = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2] + 4) ** 2 < 12
    other = (z - centre[0] - 2) ** 2 + (y - centre[1]) ** 2 + (x - centre[2] - 4) ** 2 < 9
    image = (0.1 + 0.4 * body + 0.3 * one + 0.15 * other) * (np.abs(z - centre[0]) < 9)
    shares = np.stack([~(one | other), one, other]).astype(np.float32)
    return Coarse(image.astype(np.float32), shape, (10.0, 10.0, 10.0), (0.0, 0.5), UPRIGHT), shares
