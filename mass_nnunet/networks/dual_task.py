"""A U-Net with two outputs: segmentation and signed distances."""

from typing import NamedTuple

from torch import Tensor

from .blocks import UNet, decoder_features
from .stock import OneUNet


class DualTaskOutput(NamedTuple):
    """Output of a training step for a batch of S scans.

    Attributes:
        logits: logits of the segmentation heads, from fine to coarse, each (S, K, Z_s, Y_s, X_s).
        distances: signed distances (S, K - 1, Z, Y, X), from -1 to 1.
    """

    logits: list[Tensor]
    distances: Tensor


class DualTaskNet(OneUNet):
    """nnU-Net's U-Net with a second head beside its finest segmentation head: a convolution and tanh.

    In training mode it returns a :class:`DualTaskOutput`, in evaluation mode the output of the U-Net.

    Args:
        unet: nnU-Net's U-Net.
    """

    def __init__(self, unet: UNet) -> None:
        super().__init__(unet)
        head = self.decoder.seg_layers[-1]
        self.distance = type(head)(head.in_channels, head.out_channels - 1, 1)

    def forward(self, scans: Tensor) -> DualTaskOutput | Tensor | list[Tensor]:
        """Segment scans (S, C, Z, Y, X)."""
        skips = self.encoder(scans)
        if not self.training:
            return self.decoder(skips)
        features = decoder_features(self.decoder, skips)
        logits = [layer(f) for layer, f in zip(self.decoder.seg_layers, features, strict=True)][::-1]
        return DualTaskOutput(logits, self.distance(features[-1]).tanh())
