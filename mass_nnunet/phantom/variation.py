"""How one patient differs from the reference body."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .canvas import Point


class Variation:
    """Random changes of position, size and angle, sampled one after another from one generator."""

    POSITION_MM, SIZE, DEGREES = 4, 0.07, 5  # standard deviations; that of the size is of its logarithm

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def at(self, point: ArrayLike | Sequence[Point], strength: float = 1) -> np.ndarray:
        """A coordinate, a point or points of the reference body, moved."""
        reference = np.asarray(point, float)
        return reference + strength * self.POSITION_MM * self.rng.standard_normal(reference.shape)

    def size(self, radii: ArrayLike, strength: float = 1) -> np.ndarray:
        """Radii, scaled together and, by half as much, each on its own."""
        together, each = self.rng.standard_normal(), self.rng.standard_normal(np.shape(radii))
        return np.asarray(radii, float) * np.exp(strength * self.SIZE * (together + each / 2))

    def turn(self, degrees: ArrayLike) -> np.ndarray:
        """Angles about x, y, z, changed."""
        return np.asarray(degrees, float) + self.DEGREES * self.rng.standard_normal(3)

    def chance(self, probability: float) -> bool:
        """Whether something happens that has this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A number, uniformly distributed."""
        return float(self.rng.uniform(low, high))
