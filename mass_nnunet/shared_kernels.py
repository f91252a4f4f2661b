"""One U-Net for several modalities, all of whose convolutions are shared and all of whose normalizations are not."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


class SharedKernelNet(nn.Module):
    """A U-Net for each modality: the convolutions of all are those of the first, their normalizations are their own.

    Args:
        unets: one a modality, of one architecture, with a ``decoder`` of dynamic-network-architectures.
        modality: index of the modality that this model segments at inference.
    """

    def __init__(self, unets: Sequence[nn.Module], modality: int) -> None:
        super().__init__()
        for name, module in unets[0].named_modules():
            if isinstance(module, _ConvNd):
                for other in unets[1:]:
                    twin = other.get_submodule(name)
                    twin.weight, twin.bias = module.weight, module.bias
        self.unets = nn.ModuleList(unets)
        # The modalities whose scans a batch holds, in this order and in equal shares.
        self.active: tuple[int, ...] = (modality,)

    def set_deep_supervision(self, enabled: bool) -> None:
        """Whether :meth:`forward` yields the logits of all scales."""
        for unet in self.unets:
            unet.decoder.deep_supervision = enabled

    def forward(self, scans: Tensor) -> Tensor | list[Tensor]:
        """Logits of scans (S, C, Z, Y, X): (S, K, Z, Y, X), or a list from fine to coarse with deep supervision."""
        shares = scans.chunk(len(self.active))
        outputs = [self.unets[m](share) for m, share in zip(self.active, shares, strict=True)]
        if isinstance(outputs[0], Tensor):
            return torch.cat(outputs)
        return [torch.cat(scale) for scale in zip(*outputs, strict=True)]
