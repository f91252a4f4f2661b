"""One U-Net per modality of a group; each method chooses which parts they share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from .blocks import UNet, input_channels, join
from .stock import TakesStockWeights


class GroupNet(TakesStockWeights):
    """The U-Nets of all modalities, in one module with one state; it segments scans, each by its modality's U-Net.

    Images in a batch have the largest number of channels of all modalities; a U-Net sees its own first ones.

    Args:
        unets: one U-Net per modality, all of one architecture; their numbers of input channels may differ.
        modality: index of the modality that this model segments at inference.
    """

    def __init__(self, unets: Sequence[UNet], modality: int) -> None:
        super().__init__()
        self.unets = nn.ModuleList(unets)
        self.channels = [input_channels(unet) for unet in unets]
        """Channels of the images of each modality."""
        # A batch holds scans of these modalities, in this order and in equal numbers.
        self.active: tuple[int, ...] = (modality,)

    def forward(self, scans: Any) -> Any:
        """Logits of scans (S, C, Z, Y, X): (S, K, Z, Y, X), or a list from fine to coarse with deep supervision."""
        outputs = [unet(share) for unet, share in self._shares(scans)]
        return torch.cat(outputs) if isinstance(outputs[0], Tensor) else join(outputs)

    def plain_weights(self) -> dict[str, Tensor]:
        """State dict of the active modality's U-Net, for the plain network class of the plans."""
        return self.unets[self.active[0]].state_dict()

    def _shares(self, scans: Tensor) -> list[tuple[UNet, Tensor]]:
        """Each active modality's U-Net, and its part of a batch (S, C, Z, Y, X), with the modality's own channels."""
        shares = scans.chunk(len(self.active))
        return [(self.unets[m], share[:, : self.channels[m]]) for m, share in zip(self.active, shares, strict=True)]


def share_decoder(unets: Sequence[UNet]) -> None:
    """Let all U-Nets use the first one's decoder, with its normalizations and heads; each keeps its own encoder."""
    first = unets[0].decoder
    for other in unets[1:]:
        # Part by part, because a decoder also holds its own encoder.
        other.decoder.stages, other.decoder.transpconvs = first.stages, first.transpconvs
        other.decoder.seg_layers = first.seg_layers


def share_everything(unets: Sequence[UNet]) -> None:
    """Let all U-Nets be the first one: one network for all modalities."""
    for other in unets[1:]:
        other.encoder, other.decoder = unets[0].encoder, unets[0].decoder


def share_convolutions(unets: Sequence[UNet]) -> None:
    """Let all U-Nets use the first one's convolutions and heads; each keeps its own normalizations.

    Where modalities differ in their number of channels, each keeps its own first convolution, too.

    This follows Dou et al., Unpaired multi-modal segmentation via knowledge distillation (IEEE TMI 2020).
    """
    for name, module in unets[0].named_modules():
        if isinstance(module, _ConvNd):
            for other in unets[1:]:
                twin: Any = other.get_submodule(name)
                if twin.weight.shape == module.weight.shape:
                    twin.weight, twin.bias = module.weight, module.bias
