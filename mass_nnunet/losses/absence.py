"""Loss where it is known that no organ can be."""

import torch.nn.functional as F
from torch import Tensor

TOLERANCE = 1e-3
"""Share of the region that a network may take for organs before the loss is that of these voxels alone."""


def absence_loss(logits: Tensor, absent: Tensor) -> Tensor:
    """Cross entropy of background where no organ can be, the mean over the voxels that a network takes for organs.

    Each voxel counts by 1 - p, the probability of any organ there (without gradient), as in the focal loss (Lin et al.,
    ICCV 2017) with gamma = 1. The sum is divided by that of the weights plus :data:`TOLERANCE` of the region. In a
    plain mean over a patch a false organ of a hundredth of it would hardly count, and its Dice is 0 at any size.

    Args:
        logits: (B, K, Z, Y, X), the background first.
        absent: (B, 1, Z, Y, X), true where no organ can be.

    Returns:
        The mean over the scans, a scalar; 0 for a scan without such a region.
    """
    background = F.log_softmax(logits.float(), 1)[:, :1]
    weight = (1 - background.detach().exp()) * absent
    axes = (1, 2, 3, 4)
    region = TOLERANCE * absent.sum(axes)
    return ((-background * weight).sum(axes) / (weight.sum(axes) + region).clamp_min(1e-6)).mean()
