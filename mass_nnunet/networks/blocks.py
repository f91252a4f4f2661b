"""What the networks have in common: parts of a pass through nnU-Net's U-Nets, and precision on the CPU."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

NATIVE_BFLOAT16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
"""Of this machine's processor; asked once, as the question would break a compiled graph in two."""


def decoder_features(decoder: nn.Module, skips: Sequence[Tensor]) -> list[Tensor]:
    """What a U-Net decoder computes before its segmentation heads, from coarse to fine.

    Args:
        decoder: a UNetDecoder of dynamic-network-architectures.
        skips: features of the encoder, from fine to coarse.
    """
    features = []
    below = skips[-1]
    for upsampling, stage, skip in zip(decoder.transpconvs, decoder.stages, reversed(skips[:-1]), strict=True):
        below = stage(torch.cat((upsampling(below), skip), dim=1))
        features.append(below)
    return features


def cpu_autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on processors that compute it natively (nnU-Net itself does so on CUDA only); else a null context."""
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and NATIVE_BFLOAT16)


def join(levels: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The feature maps or logits of several shares of a batch, scale by scale in one tensor each."""
    return [torch.cat(level) for level in zip(*levels, strict=True)]


def set_deep_supervision(network: nn.Module, enabled: bool) -> None:
    """Whether the U-Nets of a network yield the logits of all scales, as nnU-Net's decoders have it."""
    for module in network.modules():
        if hasattr(module, "deep_supervision"):
            module.deep_supervision = enabled
