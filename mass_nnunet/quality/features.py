"""Numbers that tell a good segmentation of an organ from a bad one, without its truth."""

import numpy as np

from .evidence import Evidence

TEMPERATURE = 0.05
"""Temperature of the softmax of likeness, by which annotated scans count."""
TINY = 1e-6

FEATURES = ("agreement", "expected")
"""Soft Dice with the registered annotations, weighted by likeness; expected Dice under the second opinion. More of them
bring no clear gain on 11 patients; these two were chosen by the correlation on validation scans
(docs/experiments/quality.md)."""


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Soft Dice of two shares (Z, Y, X); 1 where both are empty."""
    total = float(one.sum() + other.sum())
    return 2 * float(np.minimum(one, other).sum()) / total if total > TINY else 1.0


def weights(evidence: Evidence) -> np.ndarray:
    """How much each registered scan counts (A,), by its likeness to the case; the sum is 1."""
    likeness = np.array([scan.likeness for scan in evidence.laid.values()])
    found = np.exp((likeness - likeness.max()) / TEMPERATURE)
    return found / found.sum()


def features(shares: np.ndarray, evidence: Evidence) -> np.ndarray:
    """The :data:`FEATURES` of each organ of a segmentation (K - 1, F).

    Args:
        shares: share of each label (K, Z, Y, X), the background first, on the grid of the case.
        evidence: what the annotated scans say about the case.
    """
    scans, share = list(evidence.laid.values()), weights(evidence)
    annotations, rows = (scan.shares[1:] for scan in scans), []
    for organ, seen, opinion, *laid in zip(
        shares[1:], evidence.seen(shares)[1:], evidence.after[1:], *annotations, strict=True
    ):
        pairs = [(organ * scan.judged, its) for scan, its in zip(scans, laid, strict=True)]
        # A scan that does not show where the organ was segmented says nothing of it.
        says = np.array([own.sum() + its.sum() > TINY or organ.sum() <= TINY for own, its in pairs])
        agreement = float((share * says) @ [dice(*pair) for pair in pairs] / (share @ says)) if says.any() else 0.0
        expected = 2 * float((seen * opinion).sum()) / (float(seen.sum() + opinion.sum()) + TINY)
        rows.append((agreement, expected))
    return np.array(rows)
