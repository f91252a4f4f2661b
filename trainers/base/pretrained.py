"""Pretrained weights, ``nnUNetv2_train -pretrained_weights``: read safely, and checked, before nnU-Net reads them."""

import sys
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from mass_nnunet.errors import UserError
from mass_nnunet.networks.stock import DECODER, ENCODER, PARTS, TakesStockWeights, misfit
from mass_nnunet.runtime.checkpoint import read_checkpoint

from .command_line import only_validates

OPTION = "-pretrained_weights"
WEIGHTS = "network_weights"
"""The key of the weights in nnU-Net's checkpoints."""
NNSSL = "nnssl_adaptation_plan"
"""A key that nnssl's checkpoints have besides."""


def pretrained_file(words: Sequence[str] | None = None) -> Path | None:
    """The file of ``-pretrained_weights``, if nnU-Net will read one; nnU-Net does not tell trainers of it.

    Only the command line is read: weights that a program loads by nnU-Net's functions are not known here.

    Args:
        words: the command line; None for that of this process.
    """
    words = sys.argv if words is None else words
    if only_validates(words) or "--c" in words:
        return None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == OPTION and following:
            return Path(following)
        if word.startswith(f"{OPTION}="):
            return Path(word.removeprefix(f"{OPTION}="))
    return None


def await_weights(network: nn.Module, file: Path) -> None:
    """Make sure that pretrained weights fit, and let a network with stock U-Nets in it take those of a stock one.

    Of a file of nnssl, or of one without a decoder, each U-Net takes the encoder, as in nnssl's own fine-tuning: its
    decoder has restored images, if there is one.

    Args:
        network: without the wrappers of DDP and torch.compile.
        file: a checkpoint, of nnU-Net or of a method of this package.

    Raises:
        UserError: the file does not exist, is damaged, could run code, or holds weights of another network.
    """
    if not file.is_file():
        raise UserError(f"{file} does not exist: give {OPTION} nnU-Net's checkpoint")
    content = read_checkpoint(file)
    weights = content.get(WEIGHTS)
    if not isinstance(weights, dict):
        raise UserError(f"{file} has no {WEIGHTS}: give {OPTION} a checkpoint as nnU-Net writes it")
    reason = misfit(weights, network.state_dict())
    if isinstance(network, TakesStockWeights) and (reason is not None or NNSSL in content):
        whole = NNSSL not in content and any(key.startswith(DECODER) for key in weights)
        parts = PARTS if whole else (ENCODER,)
        reasons = [misfit(weights, state) for state in network.stock_states(parts)]
        reason = next((found for found in reasons if found is not None), None)
        network.awaits = parts if reason is None else ()
    if reason is not None:
        raise UserError(
            f"{file} is of another network, {reason}: plan with the network of this file (its channels, --features, "
            f"--preset, and the strides that follow from --patch-size and --spacing), or train without {OPTION}"
        )


def check_weights_came(network: nn.Module) -> None:
    """Make sure that a network does not wait for pretrained weights any more, when training begins.

    Raises:
        UserError: nnU-Net has not read them, as where a program trains with this option on its own command line.
    """
    if isinstance(network, TakesStockWeights) and network.awaits:
        raise UserError(
            f"nnU-Net has not read the weights of {OPTION}: train with nnUNetv2_train, or without {OPTION} on the "
            "command line"
        )
