"""Which branch is to be believed: how well each has of late segmented labelled scans, by modality and class.

The atlas branch finds all organs after a few hundred steps, while the segmentation head, which draws finer outlines in
the end, may still miss the small ones; and pseudo-labels that a head makes up alone may teach a class out of existence.
So the branch that is right about a class teaches it, and a fused prediction leans on it.
"""

import torch
from torch import Tensor

LOST = 0.5
"""A head that finds less than this share of the volume that the atlases propagate has lost the organ."""
MOMENTUM = 0.95
"""Of the running Dice: it forgets in about twenty steps."""
POWER = 8
"""Of the Dice in the share: the better branch leads, the mean of two unequal ones would pull the better one down."""
FLOOR = 1e-2
"""A Dice below it counts as it."""


class Trust:
    """Running Dice of the segmentation head and of the atlas branch on labelled targets, (N, K - 1) each."""

    def __init__(self) -> None:
        self.head: Tensor | None = None
        self.atlas: Tensor | None = None

    def update(self, head: Tensor, atlas: Tensor) -> None:
        """Take in the Dice of one batch, (N, K - 1) each, without gradient."""
        if self.head is None:
            self.head, self.atlas = head.detach().clone(), atlas.detach().clone()
        self.head.lerp_(head.detach(), 1 - MOMENTUM)
        self.atlas.lerp_(atlas.detach(), 1 - MOMENTUM)

    def share(self) -> Tensor:
        """Share of the atlas branch in a fused prediction, (N, K - 1): from 0 to 1, 0.5 where both are as good.

        It is a^p / (a^p + h^p) for Dice a of the atlas branch and h of the head.
        """
        # Not by the powers themselves: in float32 they underflow.
        atlas, head = (dice.clamp_min(FLOOR).log() for dice in (self.atlas, self.head))
        return (POWER * (atlas - head)).sigmoid()


def without_lost(share: Tensor, head: Tensor, atlas: Tensor) -> Tensor:
    """The share, but 1 for the organs that the head has lost in a scan.

    Labelled scans do not tell what a head misses in others, and what it misses it is sure of: taught by itself it then
    unlearns the organ. Propagated labels keep about the volume that they have in the atlas.

    Args:
        share: of the atlas branch (B, K - 1).
        head: probabilities (B, K, Z, Y, X).
        atlas: probabilities of the same shape.
    """
    found, expected = (p[:, 1:].sum((2, 3, 4)) for p in (head, atlas))
    return torch.where(found < LOST * expected, torch.ones_like(share), share)


def trusted_mean(head: Tensor, atlas: Tensor, share: Tensor) -> Tensor:
    """Mean of two predictions, weighted organ by organ; background is what they leave.

    Args:
        head: probabilities (B, K, Z, Y, X).
        atlas: probabilities of the same shape.
        share: of the atlas, (B, K - 1) or (K - 1,).

    Returns:
        Probabilities (B, K, Z, Y, X).
    """
    share = share.reshape(-1, head.shape[1] - 1, 1, 1, 1)
    organs = torch.lerp(head[:, 1:], atlas[:, 1:], share.expand(len(head), -1, *head.shape[2:]))
    total = organs.sum(1, keepdim=True)
    background = (1 - total).clamp_min(0)
    return torch.cat([background, organs], dim=1) / total.clamp_min(1)
