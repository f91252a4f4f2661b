"""Numbers that tell a good segmentation of an organ from a bad one, without its truth."""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, label

from .evidence import Evidence

POSSIBLE = 0.02
"""Probability by place below which an organ cannot be."""
MOST = 3.0
"""Largest absolute logarithm of a ratio of volumes."""
TINY = 1e-6

FEATURES = (
    "best_agreement",
    "agreement",
    "expected",
    "expected_by_place",
    "precision",
    "recall",
    "too_large",
    "too_small",
    "unusual_volume",
    "scattered",
    "misplaced",
    "contrast",
    "likeness",
)
"""Names of the features: Dice with the annotation that agrees best; the mean of the annotations, weighted by
likeness; expected Dice, precision and recall under the second opinion; expected Dice by place alone; logarithm of the
ratio to the expected volume, above and below; the same to the median annotated volume; share of the volume that is not
in the largest component, and share where the organ cannot be; contrast of the surface; likeness of the case and the
annotated scans."""


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Soft Dice of two shares (Z, Y, X); 1 where both are empty."""
    total = float(one.sum() + other.sum())
    return 2 * float(np.minimum(one, other).sum()) / total if total > TINY else 1.0


def features(shares: np.ndarray, evidence: Evidence) -> np.ndarray:
    """The :data:`FEATURES` of each organ of a segmentation (K - 1, F).

    Args:
        shares: share of each label (K, Z, Y, X), the background first, on the grid of the case.
        evidence: what the annotated scans say about the case.
    """
    return np.array([list(_of_organ(shares[k], k, evidence).values()) for k in range(1, len(shares))])


def _of_organ(organ: np.ndarray, k: int, evidence: Evidence) -> Mapping[str, float]:
    scans = list(evidence.laid.values())
    agreements = np.array([dice(organ, scan.shares[k]) for scan in scans])
    weights = np.exp(np.array([scan.likeness for scan in scans]) / 0.05)
    place, opinion = evidence.before[k], evidence.after[k]
    size, expected = float(organ.sum()), float(opinion.sum())
    common = float((organ * opinion).sum())
    ratio = float(np.clip(np.log((size + 1) / (expected + 1)), -MOST, MOST))
    usual = evidence.volumes[k - 1] / evidence.case.voxel_ml
    mask = organ > 0.5
    return {
        "best_agreement": float(agreements.max()),
        "agreement": float((agreements * weights).sum() / weights.sum()),
        "expected": 2 * common / (size + expected + TINY),
        "expected_by_place": 2 * float((organ * place).sum()) / (size + float(place.sum()) + TINY),
        "precision": common / (size + TINY),
        "recall": common / (expected + TINY),
        "too_large": max(ratio, 0.0),
        "too_small": max(-ratio, 0.0),
        "unusual_volume": min(abs(float(np.log((size + 1) / (usual + 1)))), MOST),
        "scattered": 1 - _largest(mask) / max(mask.sum(), 1),
        "misplaced": float(organ[place < POSSIBLE].sum()) / (size + TINY),
        "contrast": _contrast(mask, evidence.case.image),
        "likeness": evidence.likeness,
    }


def _largest(mask: np.ndarray) -> int:
    """Voxels of the largest component."""
    components, count = label(mask)
    return int(np.bincount(components.ravel())[1:].max()) if count else 0


def _contrast(mask: np.ndarray, image: np.ndarray) -> float:
    """Difference of the mean intensities on both sides of the surface, over the spread on both sides, at most 3."""
    inner, outer = mask & ~binary_erosion(mask), binary_dilation(mask) & ~mask
    if not inner.any() or not outer.any():
        return 0.0
    spread = float(np.sqrt((image[inner].var() + image[outer].var()) / 2))
    return min(abs(float(image[inner].mean() - image[outer].mean())) / (spread + 0.01), MOST)
