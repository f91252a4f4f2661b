"""Overlap of labels, as pure functions: soft Dice, and the losses made of it, which are scalars."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Labels (B, 1, Z, Y, X) -> (B, K, Z, Y, X), float32; zeros where a label is none of the K classes."""
    return (labels == torch.arange(classes, device=labels.device).view(-1, 1, 1, 1)).float()


def soft_dice(prediction: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Soft Dice of each scan and foreground class, (B, K - 1); 1 for a class that is absent from both.

    Args:
        prediction: probabilities (B, K, Z, Y, X); class 0 is background and is left out.
        reference: probabilities or one-hot labels of the same shape.
        mask: (B, 1 or K - 1, Z, Y, X), true at the voxels to use, for each foreground class or for all of them; None
            for all voxels.
    """
    p, r = prediction[:, 1:].float(), reference[:, 1:].float()
    if mask is not None:
        p, r = p * mask, r * mask
    axes = (2, 3, 4)
    return (2 * (p * r).sum(axes) + EPSILON) / (p.sum(axes) + r.sum(axes) + EPSILON)


def soft_dice_loss(prediction: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """1 - soft Dice, the mean over scans and foreground classes; arguments as in :func:`soft_dice`."""
    return 1 - soft_dice(prediction, reference, mask).mean()


def confident_label_loss(logits: Tensor, label: Tensor, confident: Tensor) -> Tensor:
    """Cross entropy + (1 - soft Dice) on the voxels with a confident pseudo-label; 0 if there is no such voxel.

    The Dice loss is the mean over the classes that occur in the pseudo-label. The Dice of an absent class is 0 for any
    prediction of it, and would teach the network never to predict that class.

    Args:
        logits: (B, K, Z, Y, X).
        label: classes (B, Z, Y, X), integer.
        confident: (B, Z, Y, X), boolean.
    """
    logits, weight = logits.float(), confident.float()
    entropy = (F.cross_entropy(logits, label, reduction="none") * weight).sum() / weight.sum().clamp_min(1)
    reference = one_hot(label[:, None], logits.shape[1])
    dice = soft_dice(logits.softmax(1), reference, confident[:, None])  # (B, K - 1)
    present = (reference[:, 1:] * confident[:, None]).flatten(2).any(2)
    return entropy + ((1 - dice) * present).sum() / present.sum().clamp_min(1)


def mean_of(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where a mask of the same shape is true; 0 if it is nowhere true."""
    return (values * mask).sum() / mask.sum().clamp_min(1)
