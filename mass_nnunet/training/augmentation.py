"""Other intensities for the same anatomy: how scans are changed before the network sees them."""

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST = 0.4
"""The deviation from the scan's mean is scaled by 1 - CONTRAST to 1 + CONTRAST."""
BRIGHTNESS = 0.3
"""At most so many deviations are added to the whole scan."""
NOISE = 0.3
"""Deviations: at most the deviation of the noise that is added to each voxel."""
BIAS = 0.3
"""Deviation of the logarithm of the bias field at its nodes; between them it is linear."""
BIAS_NODES = (2, 3, 3)
SHARE = 0.5
"""Of the labelled scans, those whose organs change."""


def perturbed(scans: Tensor) -> Tensor:
    """The scans (B, C, Z, Y, X), each with its own random contrast, brightness, noise and bias field.

    No voxel moves, so that what was labelled before holds after.
    """
    axes = (1, 2, 3, 4)
    mean, deviation = scans.mean(axes, keepdim=True), scans.std(axes, keepdim=True)

    def uniform(low: float, high: float) -> Tensor:
        return scans.new_empty(len(scans), 1, 1, 1, 1).uniform_(low, high)

    changed = mean + (scans - mean) * uniform(1 - CONTRAST, 1 + CONTRAST)
    changed = changed + deviation * uniform(-BRIGHTNESS, BRIGHTNESS)
    changed = changed + torch.randn_like(scans) * deviation * uniform(0, NOISE)
    nodes = BIAS * torch.randn(len(scans), 1, *BIAS_NODES, device=scans.device)
    return changed * F.interpolate(nodes, scans.shape[2:], mode="trilinear").exp()


def with_other_organs(scans: Tensor, labels: Tensor, classes: int, most: float) -> Tensor:
    """The scans, in a ``SHARE`` of them each organ brighter or darker than it was, by a random number of its own.

    Between two phases of contrast, or with iron in the liver, organs swap their order of brightness, and a few labelled
    scans show one order only. A network that sees any order finds an organ by its place, shape and surroundings.

    Args:
        scans: (B, C, Z, Y, X).
        labels: (B, 1, Z, Y, X), from 0, the background, to ``classes`` - 1.
        classes: K, with background.
        most: deviations of the scan that an organ gains or loses at most; every number up to it is as likely.

    Returns:
        Scans (B, C, Z, Y, X). In plane an organ's edge is spread over its neighbours, as a scanner would do.
    """
    shift = scans.new_empty(len(scans), classes).uniform_(-most, most)
    shift *= scans.new_empty(len(scans), 1).uniform_() < SHARE
    shift[:, 0] = 0
    by_voxel = shift.gather(1, labels.flatten(1).long()).view_as(labels)
    spread = F.avg_pool3d(F.pad(by_voxel, (1, 1, 1, 1, 0, 0), mode="replicate"), (1, 3, 3), 1)
    return scans + spread * scans.std((2, 3, 4), keepdim=True)
