"""A second opinion on a case, which uses no prediction: laid annotations and the case's own intensities."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from .alignment import Laid
from .grid import Coarse

BLUR = 2.0
"""Standard deviation, in voxels of the coarse grid, of how far laid annotations err."""
TEMPERATURE = 0.05
"""Temperature of the softmax over scans; its logits are similarities."""
BINS = 32
SMOOTHING = 1.0
"""Standard deviation of the Parzen window of densities, in bins, and of the smoothing of evidence, in voxels."""
ITERATIONS = 4
FLOOR = 1e-4


def prior(laid: Sequence[Laid]) -> np.ndarray:
    """Weighted mean of the laid annotations (K, Z, Y, X), blurred by their error.

    A scan weighs more where it is more similar to the case, as the atlases do that a network carries
    (:meth:`mass_nnunet.registration.atlas.AtlasBank.fuse`); where no scan has voxels all is background.
    """
    likeness = np.array([scan.likeness for scan in laid])[:, None, None, None]
    local = np.stack([gaussian_filter(scan.similarity, BLUR) for scan in laid])
    weights = np.exp((local + likeness) / TEMPERATURE) * np.stack([scan.known for scan in laid])
    weights /= weights.sum(0) + 1e-12
    organs = sum(weight * scan.shares[1:] for weight, scan in zip(weights, laid, strict=True))
    blurred = np.stack([gaussian_filter(organ, BLUR) for organ in organs])
    return np.concatenate([1 - blurred.sum(0, keepdims=True), blurred]).clip(0, 1).astype(np.float32)


def posterior(case: Coarse, before: np.ndarray) -> np.ndarray:
    """Class probabilities (K, Z, Y, X) from a prior and the intensities of each class in this case.

    The densities are estimated in this case alone, by expectation and maximization (Van Leemput et al., IEEE TMI 1999):
    the annotated scans need not have its contrast.
    """
    bins = (case.image * (BINS - 1)).round().astype(int)
    near = before[0] < 1 - FLOOR
    inner, weights = bins[near], before[:, near]
    after = weights
    for _ in range(ITERATIONS):
        counts = np.stack([np.bincount(inner, share, BINS) for share in after])
        density = gaussian_filter(counts, (0, SMOOTHING)) + FLOOR * counts.sum(1, keepdims=True) + FLOOR
        density /= density.sum(1, keepdims=True)
        evidence = np.log(density)[:, bins]
        smooth = np.stack([gaussian_filter(e, SMOOTHING) for e in evidence])[:, near]
        after = weights * np.exp(smooth - smooth.max(0))
        after /= after.sum(0) + 1e-12
    result = np.zeros_like(before)
    result[0] = 1
    result[:, near] = after
    return result
