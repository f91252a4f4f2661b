"""Common parts of the networks: passes through parts of nnU-Net's U-Nets, and precision on the CPU."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

UNet: TypeAlias = Any
"""A U-Net of nnU-Net: anything with an ``encoder`` and a ``decoder`` of dynamic-network-architectures, which has no
types."""
UNetDecoder: TypeAlias = Any
"""A decoder of dynamic-network-architectures."""

NATIVE_BFLOAT16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
"""Whether this processor computes bfloat16 natively. It is determined once: the query would break a compiled graph."""


VECTOR = 16
"""Channels that oneDNN computes at once on a CPU with AVX-512."""


def input_channels(unet: UNet) -> int:
    """Channels of the images that a U-Net takes."""
    return next(module for module in unet.encoder.modules() if isinstance(module, _ConvNd)).in_channels


def decoder_features(decoder: UNetDecoder, skips: Sequence[Tensor]) -> list[Tensor]:
    """Features of a U-Net decoder before its segmentation heads, from coarse to fine.

    Args:
        decoder: decoder of a U-Net.
        skips: features of the encoder, from fine to coarse, each (B, C_s, Z_s, Y_s, X_s).
    """
    features = []
    below = skips[-1]
    for upsampling, stage, skip in zip(decoder.transpconvs, decoder.stages, reversed(skips[:-1]), strict=True):
        below = stage(torch.cat((upsampling(below), skip), dim=1))
        features.append(below)
    return features


def cpu_autocast(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 on a CPU that computes it natively, otherwise off; nnU-Net itself autocasts on CUDA only."""
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and NATIVE_BFLOAT16)


def in_full(output: Any) -> Any:
    """Logits, or a list of them, in float32."""
    return output.float() if isinstance(output, Tensor) else [scale.float() for scale in output]


def join(levels: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Concatenate the feature maps or logits of several parts of a batch, scale by scale."""
    return [torch.cat(level) for level in zip(*levels, strict=True)]


def set_deep_supervision(network: nn.Module, enabled: bool) -> None:
    """Switch deep supervision of all U-Nets in a network: whether they return the logits of all scales."""
    for module in network.modules():
        if hasattr(module, "deep_supervision"):
            setattr(module, "deep_supervision", enabled)  # noqa: B010, no type of torch's has this attribute


def use_channels_last(network: nn.Module) -> None:
    """Store narrow convolutions in channels-last format, for a CPU.

    oneDNN computes 16 channels at once. In its own format a convolution of 8 channels takes twice as long as in
    channels-last format, and one of 16 or more channels takes less (docs/method/speed.md).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and module.out_channels < VECTOR:
            module.to(memory_format=torch.channels_last_3d)
