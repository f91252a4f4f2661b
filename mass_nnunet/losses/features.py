"""Losses that compare two feature maps, as pure functions: channel-wise contrast, squared difference, divergence."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5


def channel_contrast_loss(features: Tensor, reference: Tensor, temperature: float = 0.1) -> Tensor:
    """Channel-wise contrastive loss (NCE): channel c of one must resemble channel c of the other and no other channel.

    Each channel is flattened, centred and scaled to unit length; logits = cosine / temperature (B, C, C); cross
    entropy with the diagonal as target, in both directions (MASS, anatomical consistency).

    Args:
        features: (B, C, Z, Y, X).
        reference: features of the same shape.
        temperature: temperature of the softmax over channels.
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
    """Symmetric Kullback-Leibler divergence of two feature maps (B, C, Z, Y, X), the mean over channels.

    Each standardized channel becomes a distribution by a softmax over its voxels.
    """
    a, b = (F.log_softmax(_standardized_channels(x), dim=2) for x in (features, reference))
    forward = F.kl_div(a, b, log_target=True, reduction="none").sum(2).mean()
    backward = F.kl_div(b, a, log_target=True, reduction="none").sum(2).mean()
    return (forward + backward) / 2


def _centred_channels(features: Tensor) -> Tensor:
    """(B, C, Z, Y, X) -> (B, C, V), the mean of each channel 0."""
    flat = features.float().flatten(2)
    return flat - flat.mean(2, keepdim=True)


def _standardized_channels(features: Tensor) -> Tensor:
    """(B, C, Z, Y, X) -> (B, C, V), each channel with mean 0 and standard deviation 1."""
    centred = _centred_channels(features)
    return centred / (centred.square().mean(2, keepdim=True) + EPSILON).sqrt()
