"""What the networks have in common: parts of a pass through nnU-Net's U-Nets, and precision on the CPU."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

UNet: TypeAlias = Any
"""A U-Net of nnU-Net: anything with an ``encoder`` and a ``decoder`` of dynamic-network-architectures, which has no
types."""
UNetDecoder: TypeAlias = Any
"""A decoder of dynamic-network-architectures."""

NATIVE_BFLOAT16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
"""Whether this processor computes bfloat16 natively; asked once, as the question would break a compiled graph."""


def decoder_features(decoder: UNetDecoder, skips: Sequence[Tensor]) -> list[Tensor]:
    """Features of a U-Net decoder before its segmentation heads, from coarse to fine.

    Args:
        decoder: of a U-Net.
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
            setattr(module, "deep_supervision", enabled)  # noqa: B010, no type of torch's has this attribute


def use_channels_last(network: nn.Module) -> None:
    """Let convolutions with cubic kernels keep the channels of a voxel together, for a CPU.

    oneDNN then convolves in about two thirds of the time; with flat kernels it would take longer.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and min(module.kernel_size) > 1:
            module.to(memory_format=torch.channels_last_3d)
