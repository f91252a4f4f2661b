"""The terms of the objective as pure functions. All are minimized; all return a scalar."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Labels (B, 1, Z, Y, X) -> (B, K, Z, Y, X), float32."""
    return F.one_hot(labels[:, 0].long(), classes).movedim(-1, 1).float()


def soft_dice(prediction: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Soft Dice of each scan and foreground class: (B, K - 1), 1 for a class that is in neither.

    Args:
        prediction: probabilities (B, K, Z, Y, X); class 0 is background and is left out.
        reference: probabilities or one-hot labels of the same shape.
        mask: (B, 1, Z, Y, X), true at the voxels that count; None for all of them.
    """
    p, r = prediction[:, 1:].float(), reference[:, 1:].float()
    if mask is not None:
        p, r = p * mask, r * mask
    axes = (2, 3, 4)
    return (2 * (p * r).sum(axes) + EPSILON) / (p.sum(axes) + r.sum(axes) + EPSILON)


def soft_dice_loss(prediction: Tensor, reference: Tensor) -> Tensor:
    """1 - soft Dice, the mean over scans and foreground classes; shapes as in :func:`soft_dice`."""
    return 1 - soft_dice(prediction, reference).mean()


def diffusion_loss(field: Tensor) -> Tensor:
    """Mean squared spatial gradient of a displacement field (B, 3, Z, Y, X) in voxels, the mean of the three axes."""
    field = field.float()
    return sum(field.diff(dim=axis).square().mean() for axis in (2, 3, 4)) / 3


def unfolding_loss(determinant: Tensor, margin: float = 0.1) -> Tensor:
    """Mean of what a Jacobian determinant lacks to ``margin``: 0 for a field that nowhere folds or all but collapses.

    Where a field only folds a few voxels, a larger :func:`diffusion_loss` would stiffen all the others.

    Args:
        determinant: (B, Z, Y, X), 1 for the identity, at most 0 where space is folded.
        margin: the least determinant that costs nothing.
    """
    return (margin - determinant.float()).clamp_min(0).mean()


def channel_contrast_loss(features: Tensor, reference: Tensor, temperature: float = 0.1) -> Tensor:
    """Channel-wise contrastive loss (NCE): channel c of one must resemble channel c of the other and no other channel.

    Each channel is flattened, centred and scaled to unit length; logits = cosine / temperature (B, C, C); cross
    entropy with the diagonal as target, in both directions (MASS, anatomical consistency).

    Args:
        features: (B, C, Z, Y, X).
        reference: of the same shape.
        temperature: of the softmax over channels.
    """
    a, b = (F.normalize(_centred_channels(x), dim=2) for x in (features, reference))
    with torch.autocast(a.device.type, enabled=False):  # small differences of cosines decide
        logits = a @ b.transpose(1, 2) / temperature  # (B, C, C)
    diagonal = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[0], -1)
    return (F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.transpose(1, 2), diagonal)) / 2


def feature_mse_loss(features: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference of the standardized channels of two feature maps (B, C, Z, Y, X)."""
    a, b = (_standardized_channels(x) for x in (features, reference))
    return (a - b).square().mean()


def feature_kl_loss(features: Tensor, reference: Tensor) -> Tensor:
    """Symmetric Kullback-Leibler divergence of two feature maps (B, C, Z, Y, X), each channel a distribution of voxels.

    The distribution is the softmax over the voxels of the standardized channel.
    """
    a, b = (F.log_softmax(_standardized_channels(x), dim=2) for x in (features, reference))
    forward = F.kl_div(a, b, log_target=True, reduction="none").sum(2).mean()
    backward = F.kl_div(b, a, log_target=True, reduction="none").sum(2).mean()
    return (forward + backward) / 2


def confident_label_loss(logits: Tensor, label: Tensor, confident: Tensor) -> Tensor:
    """Cross entropy + soft Dice on the voxels with a confident pseudo-label; 0 where there is none.

    Dice counts only the classes that the pseudo-label has: the Dice of an absent class is 0 for any prediction of it
    and would teach the class out of existence.

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


def ramp_up(progress: float) -> float:
    """exp(-5 (1 - t/T)^2), the weight of the unsupervised terms at the share ``progress`` = t/T of the training."""
    return math.exp(-5 * (1 - min(max(progress, 0.0), 1.0)) ** 2)


def _centred_channels(features: Tensor) -> Tensor:
    """(B, C, Z, Y, X) -> (B, C, V), the mean of each channel 0."""
    flat = features.float().flatten(2)
    return flat - flat.mean(2, keepdim=True)


def _standardized_channels(features: Tensor) -> Tensor:
    """(B, C, Z, Y, X) -> (B, C, V), each channel with mean 0 and deviation 1."""
    centred = _centred_channels(features)
    return centred / (centred.square().mean(2, keepdim=True) + EPSILON).sqrt()
