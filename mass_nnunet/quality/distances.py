"""How far the surface of a segmented organ is from where the annotated scans have it: what HD95 is estimated from."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.ndimage import distance_transform_edt

from mass_nnunet.evaluation.surface import surface_voxels

from .evidence import Evidence
from .features import weights

FARTHEST = 300.0
"""Largest HD95 in mm; what an organ has to another one that is empty."""
OFFSET = 5.0
"""Added to distances in mm before their logarithm is taken: the largest edge of the grid, below which all are alike."""


class Surface:
    """The surface of an organ (Z, Y, X) on a coarse grid of voxels of some edges (z, y, x) in mm."""

    def __init__(self, organ: np.ndarray, edges: Sequence[float]) -> None:
        self.voxels, self.edges = surface_voxels(organ > 0.5), edges

    @cached_property
    def away(self) -> np.ndarray:
        """Distance (Z, Y, X) in mm of each voxel from the surface."""
        return distance_transform_edt(~self.voxels, sampling=self.edges).astype(np.float32)

    def hd95(self, other: "Surface") -> float | None:
        """The larger of the two directed 95th percentiles, in mm; None where one of them is empty."""
        if not self.voxels.any() or not other.voxels.any():
            return None
        found = (np.percentile(one.away[two.voxels], 95) for one, two in ((self, other), (other, self)))
        return min(float(max(found)), FARTHEST)


def surfaces_of(shares: np.ndarray, edges: Sequence[float]) -> list[Surface]:
    """The surface of each organ, from the share of each label (K, Z, Y, X), the background first."""
    return [Surface(organ, edges) for organ in shares[1:]]


class KnownSurfaces:
    """The surfaces of each organ in the registered annotations and in the second opinion."""

    def __init__(self, evidence: Evidence) -> None:
        self.edges, self.weights = evidence.case.edges, weights(evidence)
        self.laid = [surfaces_of(scan.shares, self.edges) for scan in evidence.laid.values()]
        self.opinion = surfaces_of(evidence.after, self.edges)

    def features(self, surfaces: Sequence[Surface]) -> np.ndarray:
        """Two numbers for each organ of a segmentation (K - 1, 2); NaN where it fills no voxel.

        They are logarithms of HD95: with the registered annotations, weighted by likeness, and with the second opinion.

        Args:
            surfaces: of :func:`surfaces_of` the segmentation.
        """
        rows = []
        for own, opinion, *laid in zip(surfaces, self.opinion, *self.laid, strict=True):
            if own.voxels.any():
                agreement = float(self.weights @ [as_log(own.hd95(its)) for its in laid])
                rows.append((agreement, as_log(own.hd95(opinion))))
            else:
                rows.append((np.nan, np.nan))
        return np.array(rows)


def as_log(distance: float | None) -> float:
    """Logarithm of a distance in mm, which is finite for 0; of :data:`FARTHEST` for None."""
    return float(np.log((FARTHEST if distance is None else distance) + OFFSET))
