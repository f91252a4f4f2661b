"""Features that tell a good segmentation from a bad one, and that `mass_nnunet quality` does not use: they bring no
clear gain on 11 patients (docs/experiments/quality.md)."""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, label

from mass_nnunet.quality.evidence import Evidence, Reference
from mass_nnunet.quality.features import FEATURES, features

MOST = 3.0
"""Largest absolute logarithm of a ratio of volumes, and largest contrast."""
CANDIDATES = (*FEATURES, "scattered", "contrast", "unusual_volume")
"""Those that the command uses; share of the volume that is not in the largest component; contrast of the surface;
logarithm of the ratio to the median volume of the registered annotated scans."""


def candidates(shares: np.ndarray, evidence: Evidence, references: Mapping[str, Reference]) -> np.ndarray:
    """The :data:`CANDIDATES` of each organ of a segmentation (K - 1, F).

    Args:
        shares: share of each label (K, Z, Y, X), the background first, on the grid of the case.
        evidence: what the annotated scans say about the case.
        references: the annotated scans, by name.
    """
    usual = np.median([references[name].volumes for name in evidence.laid], axis=0) / evidence.case.voxel_ml
    more = [_more(organ, volume, evidence.case.image) for organ, volume in zip(shares[1:], usual, strict=True)]
    return np.hstack([features(shares, evidence), more])


def _more(organ: np.ndarray, usual: float, image: np.ndarray) -> tuple[float, float, float]:
    mask, inner = _cropped(organ > 0.5, image)
    scattered = 1 - _largest(mask) / max(int(mask.sum()), 1)
    volume = min(abs(float(np.log((organ.sum() + 1) / (usual + 1)))), MOST)
    return scattered, _contrast(mask, inner), volume


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
