"""Networks that take the weights of a stock U-Net of nnU-Net, by nnU-Net's own option ``-pretrained_weights``."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .blocks import UNet, UNetDecoder

HEADS = ".seg_layers."
"""Part of the keys of segmentation heads; nnU-Net takes no pretrained heads."""
ENCODER, DECODER = "encoder.", "decoder."
"""Prefixes of the keys of a stock U-Net."""
PARTS = (ENCODER, DECODER)


class TakesStockWeights(nn.Module):
    """A network with nnU-Net's U-Nets in it, each of which can take the weights of a stock one.

    nnU-Net compares a file of pretrained weights with ``state_dict()`` of the network, and passes the weights that it
    takes from the file to ``load_state_dict()``. While :attr:`awaits` names parts of a stock U-Net, both are those of
    these parts. The first call of ``load_state_dict()`` ends this.
    """

    awaits: tuple[str, ...] = ()
    """Some of :data:`PARTS`."""

    def stock_prefixes(self) -> list[str]:
        """Prefix of the keys of each stock U-Net in this network: of those in ``unets``, or of the network itself."""
        count = len(getattr(self, "unets", ()))
        return [f"unets.{number}." for number in range(count)] or [""]

    def stock_states(self, parts: tuple[str, ...] = PARTS) -> list[dict[str, Any]]:
        """The state of parts of each stock U-Net in this network, under the keys that it has in nnU-Net."""
        whole = super().state_dict()
        return [
            {key[len(prefix) :]: whole[key] for key in whole if key.startswith(tuple(prefix + part for part in parts))}
            for prefix in self.stock_prefixes()
        ]

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # it has overloads
        """As in torch, or the state of the awaited parts of the first stock U-Net."""
        return self.stock_states(self.awaits)[0] if self.awaits else super().state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As in torch, or load the state of parts of a stock U-Net into each of the U-Nets, without its heads."""
        if self.awaits:
            self.awaits = ()
            whole = super().state_dict()
            for key, value in state_dict.items():
                if HEADS not in key:
                    # A decoder holds the encoder again: the weights have both keys, and the last one loaded counts.
                    keys = {prefix + part + key for prefix in self.stock_prefixes() for part in ("", DECODER)}
                    whole |= dict.fromkeys(keys & whole.keys(), value)
            state_dict = whole
        return super().load_state_dict(state_dict, *args, **kwargs)


class OneUNet(TakesStockWeights):
    """A network of one U-Net of nnU-Net, with the keys that it has in nnU-Net; a subclass runs its two parts.

    Args:
        unet: nnU-Net's U-Net.
    """

    encoder: nn.Module
    decoder: UNetDecoder

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.encoder, self.decoder = unet.encoder, unet.decoder


def misfit(weights: Mapping[str, Any], state: Mapping[str, Tensor]) -> str | None:
    """The first reason for which weights do not fit a network's state, apart from heads; None if they fit.

    Args:
        weights: of a file.
        state: of a network.
    """
    for key, value in state.items():
        if HEADS in key:
            continue
        if key not in weights:
            return f"it has no {key}"
        if weights[key].shape != value.shape:
            return f"its {key} has the shape {tuple(weights[key].shape)}, and the network's {tuple(value.shape)}"
    return None
