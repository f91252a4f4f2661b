"""What a scan's own gray values tell: which of them each organ has in it, going by a first segmentation."""

import torch
from torch import Tensor

from mass_nnunet.losses.similarity import box_mean

BINS = 48
REACH = 4.0
"""Deviations of the organs' gray values to either side of their mean that the bins span."""
PARZEN = 2.0
"""Deviation of the Parzen window, in bins."""
PRIOR = 10.0
"""Voxels that a class needs to be believed: with so many its density is half of what it would be, without any none."""
NEIGHBOURHOOD = 5
"""Side in voxels of the cube of which a class has to fill :data:`SHARE` to be near."""
SHARE = 0.25


def intensity_evidence(probabilities: Tensor, image: Tensor) -> Tensor:
    """How much the gray value of each voxel speaks for each class that is near: log(1 + p(gray | class) / p0).

    Each class's density is a Parzen estimate over the patch itself, in which a voxel counts as much as the first
    segmentation gives it to the class (Van Leemput et al., IEEE TMI 1999, take such a step in each of their
    iterations); p0 is a flat one. It needs no other scan, and so does not mind a contrast that training has not shown.
    What is rarer in a class than in the flat density hardly speaks against it: by its likelihood single outliers would
    decide. And it counts where the class is near, as other things in a body are as gray as an organ. The background's
    density is of what is near organs, too: by that of all that is in the image organs would grow into what surrounds
    them.

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
    """How near each class is to each voxel, from 0 to 1; both (K, Z, Y, X)."""
    return (box_mean(probabilities[:, None], NEIGHBOURHOOD)[:, 0] / SHARE).clamp(max=1)


def _bins(image: Tensor, organs: Tensor) -> Tensor:
    """The bin of each voxel (Z, Y, X); those at either end hold all that is beyond what organs look like."""
    total = organs.sum().clamp_min(1e-6)
    mean = (organs * image).sum() / total
    deviation = ((organs * (image - mean).square()).sum() / total).sqrt().clamp_min(1e-6)
    place = (image - mean) / (REACH * deviation)  # from -1 to 1 within reach
    return ((place.clamp(-1, 1) + 1) / 2 * (BINS - 1)).round().long()
