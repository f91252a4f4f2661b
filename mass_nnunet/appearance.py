"""Other intensities for the same anatomy: how an unlabelled scan is changed before the network sees it."""

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
