"""Labels that may stand for several classes: what they tell of each class, and their cross entropy."""

import torch.nn.functional as F
from torch import Tensor


def marginal_cross_entropy(logits: Tensor, possible: Tensor) -> Tensor:
    """-log of the probability that a voxel is of one of its possible classes, the mean over the voxels.

    With one possible class it is the cross entropy. A voxel at which all classes are possible is left out of the mean.
    The probabilities of the possible classes are added up as in the marginal loss of Shi et al. (Marginal loss and
    exclusion loss for partially supervised multi-organ segmentation, Medical Image Analysis 2021) and in Fang and Yan
    (Multi-organ segmentation over partially labeled datasets with multi-scale feature abstraction, IEEE TMI 2020).

    Args:
        logits: (B, K, Z, Y, X).
        possible: boolean, of the same shape; at least one class at each voxel.

    Returns:
        A scalar; 0 if no voxel is known.
    """
    probability = F.log_softmax(logits.float(), 1).masked_fill(~possible, -float("inf")).logsumexp(1)
    weight = (~possible.all(1)).float()  # (B, Z, Y, X)
    return -(probability * weight).sum() / weight.sum().clamp_min(1)


def told(possible: Tensor) -> Tensor:
    """Whether it is known if a voxel, or a label, is of a class, given which classes are possible: both (B, K, ...)."""
    return ~possible | (possible.sum(1, keepdim=True) == 1)
