"""Numbers that tell a good segmentation of an organ from a bad one, without its truth."""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, label

from .evidence import Evidence

MOST = 3.0
"""Largest absolute logarithm of a ratio of volumes, and largest contrast."""
TEMPERATURE = 0.05
"""Temperature of the softmax of likeness, by which annotated scans count."""
TINY = 1e-6

CANDIDATES = ("agreement", "scattered", "expected", "contrast", "unusual_volume")
"""Features that were measured (docs/experiments/quality.md): soft Dice with the registered annotations, weighted by
likeness; share of the volume that is not in the largest component; expected Dice under the second opinion; contrast of
the surface; logarithm of the ratio to the median annotated volume."""
FEATURES = ("agreement", "expected")
"""Those that the estimate uses. With more of them it fits synthetic errors better, and real predictions worse."""


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Soft Dice of two shares (Z, Y, X); 1 where both are empty."""
    total = float(one.sum() + other.sum())
    return 2 * float(np.minimum(one, other).sum()) / total if total > TINY else 1.0


def features(shares: np.ndarray, evidence: Evidence, names: tuple[str, ...] = FEATURES) -> np.ndarray:
    """Some of the :data:`CANDIDATES` for each organ of a segmentation (K - 1, F).

    Args:
        shares: share of each label (K, Z, Y, X), the background first, on the grid of the case.
        evidence: what the annotated scans say about the case.
        names: the features.
    """
    return np.array([[_feature(name, shares[k], k, evidence) for name in names] for k in range(1, len(shares))])


def _feature(name: str, organ: np.ndarray, k: int, evidence: Evidence) -> float:
    """One feature of the shares (Z, Y, X) of organ ``k``."""
    if name == "agreement":
        scans = list(evidence.laid.values())
        likeness = np.array([scan.likeness for scan in scans])
        weights = np.exp((likeness - likeness.max()) / TEMPERATURE)
        return float(weights @ [dice(organ, scan.shares[k]) for scan in scans] / weights.sum())
    if name == "expected":
        opinion = evidence.after[k]
        return 2 * float((organ * opinion).sum()) / (float(organ.sum() + opinion.sum()) + TINY)
    if name == "unusual_volume":
        usual = evidence.volumes[k - 1] / evidence.case.voxel_ml
        return min(abs(float(np.log((organ.sum() + 1) / (usual + 1)))), MOST)
    mask, image = _cropped(organ > 0.5, evidence.case.image)
    if name == "scattered":
        return 1 - _largest(mask) / max(int(mask.sum()), 1)
    return _contrast(mask, image)


def _cropped(mask: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box of a mask with one voxel around it, of both (Z, Y, X): most of a scan need not be looked at."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(0, int(hit[0]) - 1), int(hit[-1]) + 2) if hit.size else slice(0, 1))
    return mask[tuple(box)], image[tuple(box)]


def _largest(mask: np.ndarray) -> int:
    """Voxels of the largest component."""
    components, count = label(mask)
    return int(np.bincount(components.ravel())[1:].max()) if count else 0


def _contrast(mask: np.ndarray, image: np.ndarray) -> float:
    """Difference of the mean intensities on both sides of the surface, over the spread on both sides."""
    inner, outer = mask & ~binary_erosion(mask), binary_dilation(mask) & ~mask
    if not inner.any() or not outer.any():
        return 0.0
    spread = float(np.sqrt((image[inner].var() + image[outer].var()) / 2))
    return min(abs(float(image[inner].mean() - image[outer].mean())) / (spread + 0.01), MOST)
