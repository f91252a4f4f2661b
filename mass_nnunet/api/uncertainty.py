"""How sure a model is, from its class probabilities: entropy, disagreement of branches, and expected Dice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

TINY = 1e-12
"""Added inside logarithms."""


@dataclass(frozen=True)
class Uncertainty:
    """How sure a model is of one scan, on the network's grid.

    Attributes:
        entropy: entropy (Z, Y, X) of the class probabilities, mean of the branches, from 0 (certain) to 1 (all classes
            equally probable).
        disagreement: :func:`disagreement` of the branches (Z, Y, X), 0 to 1; zero everywhere for one branch.
        probabilities: mean class probabilities (K, Z, Y, X) of the branches.
        spacing: voxel size (z, y, x) in mm.
    """

    entropy: np.ndarray
    disagreement: np.ndarray
    probabilities: np.ndarray
    spacing: tuple[float, float, float]

    @property
    def scan_entropy(self) -> float:
        """Entropy of the whole scan for each expected organ voxel: comparable between scans of different coverage."""
        return _for_each_organ_voxel(self.entropy, self.probabilities)

    @property
    def scan_disagreement(self) -> float:
        """Disagreement in the whole scan for each expected organ voxel."""
        return _for_each_organ_voxel(self.disagreement, self.probabilities)

    @property
    def expected_dice(self) -> np.ndarray:
        """:func:`expected_dice` of each class but the background (K - 1,), of the mean probabilities."""
        labels = self.probabilities.argmax(0)
        return np.array([expected_dice(p, labels == k) for k, p in enumerate(self.probabilities) if k])


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy (Z, Y, X) of class probabilities (K, Z, Y, X), divided by that of equal probabilities: 0 to 1."""
    p = probabilities.astype(np.float32, copy=False)
    return -(p * np.log(p + TINY)).sum(0) / np.log(len(p))


def disagreement(probabilities: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> np.ndarray:
    """How much branches or models contradict each other (Z, Y, X): 0 for equal, 1 for certain and all different.

    It is the Jensen-Shannon divergence, also called mutual information or BALD (Houlsby et al., 2011): the entropy of
    the mean minus the mean of the entropies, divided by the largest possible value.

    Args:
        probabilities: class probabilities (K, Z, Y, X) of each.

    Raises:
        ValueError: there are none.
    """
    parts = list(probabilities.values() if isinstance(probabilities, Mapping) else probabilities)
    if not parts:
        raise ValueError("no probabilities to compare")
    classes, count = len(parts[0]), len(parts)
    if count == 1:
        return np.zeros(parts[0].shape[1:], np.float32)
    divergence = entropy(sum(parts[1:], parts[0]) / count) - sum(map(entropy, parts)) / count
    return np.clip(divergence * np.log(classes) / np.log(min(classes, count)), 0, 1)


def expected_dice(probability: np.ndarray, mask: np.ndarray) -> float:
    """Dice of a mask (Z, Y, X) with a truth whose voxels have this probability: expected intersection over sizes.

    It is 1 where neither has anything. An overconfident network, as most are, makes it too high.
    """
    total = float(probability.sum() + mask.sum())
    return 2 * float(probability[mask].sum()) / total if total > 0.5 else 1.0


def _for_each_organ_voxel(values: np.ndarray, probabilities: np.ndarray) -> float:
    return float(values.sum() / (probabilities[1:].sum() + 1))
