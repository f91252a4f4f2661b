"""Two U-Nets that teach each other."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .blocks import UNet, cpu_autocast, in_full
from .stock import TakesStockWeights


class CrossNet(TakesStockWeights):
    """Two U-Nets of one architecture, each with its own initial weights. The first one predicts.

    In training mode it returns the logits of both, a pair of lists from fine to coarse. In evaluation mode it returns
    the output of the first.

    Args:
        unets: two of nnU-Net's U-Nets.
    """

    def __init__(self, unets: Sequence[UNet]) -> None:
        super().__init__()
        self.unets = nn.ModuleList(unets)

    def forward(self, scans: Tensor) -> Any:
        """Segment scans (S, C, Z, Y, X)."""
        with cpu_autocast(scans.device):
            if self.training:
                return tuple(in_full(unet(scans)) for unet in self.unets)
            return in_full(self.unets[0](scans))

    def plain_weights(self) -> dict[str, Tensor]:
        """State dict of the U-Net that predicts."""
        return self.unets[0].state_dict()
