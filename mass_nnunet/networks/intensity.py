"""Intensity adaptation: what the intensities of a scan say about its labels, given a first segmentation of it."""

import torch
from torch import Tensor

from mass_nnunet.losses.similarity import box_mean

BINS = 48
REACH = 4.0
"""The bins span so many standard deviations of the organs' intensities to either side of their mean."""
PARZEN = 2.0
"""Standard deviation of the Parzen window, in bins."""
PRIOR = 10.0
"""A class with so many voxels has half of its density; one with far fewer has almost none."""
NEIGHBOURHOOD = 5
"""A class is near where it fills at least :data:`SHARE` of a cube with sides of so many voxels."""
SHARE = 0.25


def intensity_evidence(probabilities: Tensor, image: Tensor) -> Tensor:
    """Evidence of each voxel's intensity v for each class k that is near: log(1 + p(v | k) / p0).

    p(v | k) is a Parzen estimate over the patch, in which each voxel is weighted by the probability that the first
    segmentation gives to the class; p0 is a flat density. Van Leemput et al. (IEEE TMI 1999) take such a step in each
    iteration. No other scan is needed, so that contrasts which training has not shown do no harm.

    - 1 + p / p0 instead of p: an intensity that is rare in a class hardly counts against it, else outliers decide.
    - Evidence counts only where the class is near, as other parts of a body have an organ's intensities.
    - The background's density is that of the surroundings of organs: with that of the whole image organs grow into
      their surroundings.

    Args:
        probabilities: of the first segmentation (K, Z, Y, X), the background first.
        image: (Z, Y, X).

    Returns:
        (K, Z, Y, X), float32, from 0 on.
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
        density = counts @ window / (counts.sum(1, keepdim=True) + PRIOR)  # (K, BINS)
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
