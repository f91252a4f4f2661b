"""How one patient differs from the reference body."""

import numpy as np
from numpy.typing import ArrayLike


class Variation:
    """Random changes of position, size and angle, drawn one after another from one generator."""

    POSITION_MM, SIZE, DEGREES = 4, 0.07, 5  # standard deviations; size is that of the logarithm

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def at(self, point: ArrayLike, strength: float = 1) -> np.ndarray:
        """A point (or points) of the reference body, moved."""
        return np.asarray(point, float) + strength * self.POSITION_MM * self.rng.standard_normal(np.shape(point))

    def size(self, radii: ArrayLike, strength: float = 1) -> np.ndarray:
        """Radii, grown or shrunk together and, by half as much, each on its own."""
        together, each = self.rng.standard_normal(), self.rng.standard_normal(np.shape(radii))
        return np.asarray(radii, float) * np.exp(strength * self.SIZE * (together + each / 2))

    def turn(self, degrees: ArrayLike) -> np.ndarray:
        """Angles about x, y, z, changed."""
        return np.asarray(degrees, float) + self.DEGREES * self.rng.standard_normal(3)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniform number."""
        return float(self.rng.uniform(low, high))
