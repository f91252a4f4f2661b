"""Regions at prediction: nnU-Net thresholds the sigmoid of a logit of each, and our networks have exclusive classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mass_nnunet.errors import UserError

from .strangers import REMEDY


def region_logits(logits: Tensor, regions: Sequence[Sequence[int]]) -> Tensor:
    """Logits whose sigmoid is the sum of the probabilities (softmax) of the classes of each region.

    A region's logit is log(p / (1 - p)): the logsumexp of the logits of its classes minus that of all others.

    Args:
        logits: (B, K, ...).
        regions: R regions, each some of the K classes, but not all.

    Returns:
        (B, R, ...), float32.
    """
    logits = logits.float()
    odds = []
    for classes in regions:
        others = [k for k in range(logits.shape[1]) if k not in classes]
        odds.append(logits[:, list(classes)].logsumexp(1) - logits[:, others].logsumexp(1))
    return torch.stack(odds, 1)


def classes_of_network(regions: Sequence[Sequence[int]] | None, outputs: int) -> int:
    """How many classes a network has, with background.

    Args:
        regions: of the plans, as in :func:`region_logits`; none where labels are no regions.
        outputs: what nnU-Net counts by dataset.json: classes in training, regions in prediction.

    Raises:
        UserError: dataset.json has another number of regions than the plans.
    """
    if not regions:
        return outputs
    classes = 1 + max(map(max, regions))
    if outputs not in (classes, len(regions)):
        raise UserError(
            f"plans.json has {len(regions)} regions in mass.regions, and the dataset.json beside it {outputs}: {REMEDY}"
        )
    return classes


def offer_regions(network: Any, regions: Sequence[Sequence[int]]) -> None:
    """Let a network return logits of regions in evaluation mode, unless its ``yields_regions`` is false.

    The state of the network does not change.

    Args:
        network: a network that returns logits (S, K, Z, Y, X) in evaluation mode, without deep supervision.
        regions: as in :func:`region_logits`.
    """
    network.regions, network.yields_regions = regions, True
    network.register_forward_hook(_of_regions)


def _of_regions(network: Any, _: tuple[Any, ...], output: Any) -> Tensor | None:
    """A forward hook: logits of regions; None where the output stays as it is, as in training."""
    if network.training or not network.yields_regions or not isinstance(output, Tensor):
        return None
    return region_logits(output, network.regions)
