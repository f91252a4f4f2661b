"""Intensity adaptation: evidence for labels from a scan's own intensities, given a first segmentation of the scan."""

import torch
from torch import Tensor

from mass_nnunet.losses.similarity import box_mean

BINS = 48
REACH = 4.0
"""Half the range of the bins around the mean intensity of the organs, in standard deviations of that intensity."""
PARZEN = 2.0
"""Standard deviation of the Parzen window, in bins."""
PRIOR = 10.0
"""Volume in ml at which the density of a class is halved: a false spot of an organ must not strengthen itself."""
NEIGHBOURHOOD = 5
"""Side of a cube in voxels. A class is near a voxel if it fills at least :data:`SHARE` of the cube around it."""
SHARE = 0.25


def adaptation(logits: Tensor, scans: Tensor, weight: float, prior: float) -> Tensor:
    """Weighted :func:`intensity_evidence` (S, K, Z, Y, X) of each scan, to be added to its logits.

    Args:
        logits: of the first segmentation, (S, K, Z, Y, X).
        scans: (S, C, Z, Y, X); the first channel is used.
        weight: of the evidence.
        prior: :data:`PRIOR` in voxels.
    """
    pairs = zip(logits.softmax(1), scans, strict=True)
    return weight * torch.stack([intensity_evidence(p, scan[0], prior) for p, scan in pairs])


def intensity_evidence(probabilities: Tensor, image: Tensor, prior: float) -> Tensor:
    """Evidence of each voxel's intensity v for each class k near the voxel: log(1 + p(v | k) / p0).

    p(v | k) is a Parzen estimate over the patch, with each voxel weighted by its probability of class k in the first
    segmentation; p0 is a flat density. Van Leemput et al. (IEEE TMI 1999) take such a step in each iteration. No other
    scan is used, so contrasts that were absent from training do no harm.

    - log(1 + p / p0) instead of log p: a rare intensity hardly counts against a class; otherwise outliers dominate.
    - Evidence is used only near the class, because other parts of the body can have the intensities of an organ.
    - The background's density is estimated near organs only. With the density of the whole image organs would grow into
      their surroundings.

    Args:
        probabilities: class probabilities of the first segmentation (K, Z, Y, X), the background first.
        image: (Z, Y, X).
        prior: :data:`PRIOR` in voxels.

    Returns:
        (K, Z, Y, X), float32, 0 or more.
    """
    with torch.autocast(image.device.type, enabled=False):
        probabilities, image = probabilities.float(), image.float()
        organs = 1 - probabilities[:1]
        bins = _bins(image, organs[0])
        shares = torch.cat([probabilities[:1] * _near(organs), probabilities[1:]]).flatten(1)
        counts = shares.new_zeros((len(shares), BINS)).index_add_(1, bins.flatten(), shares)
        index = torch.arange(BINS, device=image.device)
        window = (-0.5 * ((index[:, None] - index) / PARZEN).square()).exp()
        window = window / window.sum(1, keepdim=True)
        density = counts @ window / (counts.sum(1, keepdim=True) + prior)  # (K, BINS)
        return (BINS * density).log1p()[:, bins] * _near(probabilities)


def _near(probabilities: Tensor) -> Tensor:
    """Nearness of each class to each voxel, from 0 to 1; both (K, Z, Y, X)."""
    return (box_mean(probabilities[:, None], NEIGHBOURHOOD)[:, 0] / SHARE).clamp(max=1)


def _bins(image: Tensor, organs: Tensor) -> Tensor:
    """The bin of each voxel (Z, Y, X); the first and the last hold all intensities beyond those of organs."""
    total = organs.sum().clamp_min(1e-6)
    mean = (organs * image).sum() / total
    standard_deviation = ((organs * (image - mean).square()).sum() / total).sqrt().clamp_min(1e-6)
    place = (image - mean) / (REACH * standard_deviation)  # from -1 to 1 within reach
    return ((place.clamp(-1, 1) + 1) / 2 * (BINS - 1)).round().long()
