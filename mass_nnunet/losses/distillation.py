"""Distillation between modalities: the mean prediction of a class should not depend on the modality."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .overlap import one_hot


def class_means(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean logits over all voxels of each class.

    Args:
        logits: (B, K, Z, Y, X).
        labels: (B, 1, Z, Y, X).

    Returns:
        Means (K, K), one row per class, zeros for an absent class; and (K,) boolean, the classes that are present.
    """
    with torch.autocast(logits.device.type, enabled=False):  # millions of voxels overflow half precision
        reference = one_hot(labels, logits.shape[1]).flatten(2)
        count = reference.sum((0, 2))
        sums = torch.einsum("bkv,bcv->kc", reference, logits.float().flatten(2))
    return sums / count.clamp_min(1)[:, None], count > 0


def distillation_loss(
    logits: Tensor, labels: Tensor, other_logits: Tensor, other_labels: Tensor, temperature: float = 2.0
) -> Tensor:
    """Symmetric Kullback-Leibler divergence of the softened mean predictions of each class in two modalities.

    The prediction of a class is the softmax of its mean logits / temperature. The loss is the mean of both directions
    and of all classes, background included, that both modalities have (Dou et al. 2020, L_kd).

    Args:
        logits: logits of scans of one modality (B, K, Z, Y, X).
        labels: labels of these scans (B, 1, Z, Y, X).
        other_logits: logits of scans of the other modality.
        other_labels: labels of the scans of the other modality.
        temperature: T.
    """
    (mean, here), (other, there) = class_means(logits, labels), class_means(other_logits, other_labels)
    p, q = (F.log_softmax(x / temperature, dim=1) for x in (mean, other))  # (K, K)
    divergence = ((p.exp() - q.exp()) * (p - q)).sum(1) / 2
    both = here & there
    return (divergence * both).sum() / both.sum().clamp_min(1)
