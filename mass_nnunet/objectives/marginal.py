"""nnU-Net's own loss of scans in which some structures were not annotated."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mass_nnunet.losses.marginal import marginal_cross_entropy, told


class MarginalLoss(nn.Module):
    """nnU-Net's Dice + cross entropy, of labels that may stand for several classes.

    The cross entropy is marginal (:func:`marginal.marginal_cross_entropy`). The Dice loss of a class is nnU-Net's, over
    the voxels of which it is known whether they are of this class. Where every label is a class, or the label of
    all classes, this is nnU-Net's own loss.

    Args:
        dice: nnU-Net's Dice loss without background: a function of (logits, classes, mask), where the mask has a
            channel for each class but the background.
        table: boolean (V, K), whether label v can be class k; a label below K is a class.
    """

    table: Tensor

    def __init__(self, dice: Callable[..., Tensor], table: Tensor) -> None:
        super().__init__()
        self.dice = dice
        self.register_buffer("table", table, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (B, K, Z, Y, X) and labels (B, 1, Z, Y, X)."""
        possible = self.table[labels[:, 0].long()].movedim(-1, 1)  # (B, K, Z, Y, X)
        classes = torch.where(labels < possible.shape[1], labels, 0)
        return self.dice(logits, classes, loss_mask=told(possible)[:, 1:]) + marginal_cross_entropy(logits, possible)
