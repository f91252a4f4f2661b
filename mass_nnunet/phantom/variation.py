"""Random differences of one patient from the reference body."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .canvas import Point


class Variation:
    """Random changes of position, size and angle, sampled one after another from one generator."""

    POSITION_MM, SIZE, DEGREES = 4, 0.07, 5  # standard deviations of positions, of log sizes and of angles

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def at(self, point: ArrayLike | Sequence[Point], strength: float = 1) -> np.ndarray:
        """Move a coordinate, a point or points of the reference body."""
        reference = np.asarray(point, float)
        return reference + strength * self.POSITION_MM * self.rng.standard_normal(reference.shape)

    def size(self, radii: ArrayLike, strength: float = 1) -> np.ndarray:
        """Scale radii by a common random factor and, half as strongly, by individual ones."""
        together, each = self.rng.standard_normal(), self.rng.standard_normal(np.shape(radii))
        return np.asarray(radii, float) * np.exp(strength * self.SIZE * (together + each / 2))

    def turn(self, degrees: ArrayLike) -> np.ndarray:
        """Change angles about x, y, z, in degrees."""
        return np.asarray(degrees, float) + self.DEGREES * self.rng.standard_normal(3)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniformly distributed number."""
        return float(self.rng.uniform(low, high))
