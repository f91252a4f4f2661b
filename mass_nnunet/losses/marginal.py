"""Labels that may stand for several classes: what they tell of each class, and their cross entropy."""

import torch
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


def merged_into_background(logits: Tensor, kept: Tensor) -> Tensor:
    """Logits in which the classes that are not kept are part of the background.

    Their probabilities are added to that of background, as in :func:`marginal_cross_entropy`, and theirs are 0 then.

    Args:
        logits: logits or logarithms of probabilities (B, K, Z, Y, X).
        kept: boolean (B, K - 1): which foreground classes each scan keeps.

    Returns:
        Logits of the same shape, float32; minus infinity for the classes that are not kept.
    """
    background, organs = logits.float().split([1, logits.shape[1] - 1], 1)
    kept = kept[..., None, None, None]
    background = torch.cat([background, organs.masked_fill(kept, -torch.inf)], 1).logsumexp(1, keepdim=True)
    return torch.cat([background, organs.masked_fill(~kept, -torch.inf)], 1)
