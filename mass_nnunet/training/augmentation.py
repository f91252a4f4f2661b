"""Intensity augmentation. It moves no voxel, so labels stay valid."""

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST = 0.4
"""The difference to the scan's mean is scaled by a factor from 1 - CONTRAST to 1 + CONTRAST."""
BRIGHTNESS = 0.3
"""Largest shift of the whole scan's intensity, in standard deviations of the scan."""
NOISE = 0.3
"""Largest standard deviation of the noise that is added to each voxel, in standard deviations of the scan."""
BIAS = 0.3
"""Standard deviation of the logarithm of the bias field at its nodes; between them it is linear."""
BIAS_NODES = (2, 3, 3)
SHARE = 0.5
"""Share of the annotated scans that get random organ contrast."""


def perturbed(scans: Tensor) -> Tensor:
    """Scans (B, C, Z, Y, X) with random contrast, brightness and noise, sampled for each channel, and a bias field.

    The bias field is that of all channels of a scan. A channel of zeros stays one.
    """
    axes = (2, 3, 4)
    mean, standard_deviation = scans.mean(axes, keepdim=True), scans.std(axes, keepdim=True)

    def uniform(low: float, high: float) -> Tensor:
        return scans.new_empty(*scans.shape[:2], 1, 1, 1).uniform_(low, high)

    changed = mean + (scans - mean) * uniform(1 - CONTRAST, 1 + CONTRAST)
    changed = changed + standard_deviation * uniform(-BRIGHTNESS, BRIGHTNESS)
    changed = changed + torch.randn_like(scans) * standard_deviation * uniform(0, NOISE)
    nodes = BIAS * torch.randn(len(scans), 1, *BIAS_NODES, device=scans.device)
    return changed * F.interpolate(nodes, scans.shape[2:], mode="trilinear").exp()


def random_organ_contrast(scans: Tensor, labels: Tensor, classes: int, most: float) -> Tensor:
    """Random organ contrast: in a share ``SHARE`` of the scans, shift the intensity of each organ by a random value.

    In a scan of several channels each channel has its own values: organs differ in other ways in each of them.

    The order of the organs by brightness differs between contrast phases, or with iron in the liver, but a few
    annotated scans show one order only. A network that sees all orders finds an organ by its position, shape and
    surroundings.

    This is class-wise intensity augmentation, a relative of SLAug's location-scale augmentation (Su et al., AAAI 2023),
    which varies each class by a curve of its own, of SynthSeg (Billot et al., Medical Image Analysis 2023), which
    samples all intensities by class, and of GIN (Ouyang et al., IEEE TMI 2022), which applies random convolutions.

    Args:
        scans: (B, C, Z, Y, X).
        labels: (B, 1, Z, Y, X), from 0, the background, to ``classes`` - 1. A voxel of any other label, of which the
            class is not known, is not shifted.
        classes: K, with background.
        most: largest shift, in standard deviations of the channel; the shift is uniform in [-most, most].

    Returns:
        Scans (B, C, Z, Y, X). The shift is averaged over 3 x 3 voxels in plane, as a scanner blurs an organ's edge.
    """
    shift = scans.new_empty(*scans.shape[:2], classes).uniform_(-most, most)
    shift *= scans.new_empty(len(scans), 1, 1).uniform_() < SHARE
    shift[..., 0].zero_()
    known = (labels * (labels < classes)).expand_as(scans)
    by_voxel = shift.gather(2, known.flatten(2).long()).view_as(scans)
    spread = F.avg_pool3d(F.pad(by_voxel, (1, 1, 1, 1, 0, 0), mode="replicate"), (1, 3, 3), 1)
    return scans + spread * scans.std((2, 3, 4), keepdim=True)
