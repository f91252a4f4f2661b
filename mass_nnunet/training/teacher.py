"""The mean teacher: a running average of the network, which segments the unaugmented unlabelled scans."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mass_nnunet.networks.blocks import set_deep_supervision

MOMENTUM = 0.99
"""Momentum of the running average, which is over about a hundred steps."""
WARM_UP = 9
"""After n steps the average is over about n / WARM_UP steps, until MOMENTUM is reached: initial weights fade soon."""


class Teacher:
    """Exponential moving average of a network's weights (Tarvainen and Valpola, Mean teachers, NeurIPS 2017).

    A training that goes on needs its :meth:`state` besides the network's.

    Args:
        network: network without the wrappers of DDP and torch.compile, which segments in evaluation mode.
        inference: inference of the teacher, if the network is a :class:`mass_nnunet.networks.mass.MASSNet`.
        momentum: momentum of the running average.
        warm_up: after n steps the average is over about n / warm_up steps, until ``momentum`` is reached.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        inference: str = "segmentation",
        momentum: float = MOMENTUM,
        warm_up: int = WARM_UP,
    ) -> None:
        self.average = AveragedModel(network, multi_avg_fn=self._blend).eval().requires_grad_(False)
        self.average.n_averaged.fill_(1)  # the network as it is now; else the first update would overwrite it
        set_deep_supervision(self.network, False)
        self.network.inference = inference
        self.momentum, self.warm_up = momentum, warm_up
        self.steps = 0

    @property
    def network(self) -> Any:
        """The averaged network, in evaluation mode."""
        return self.average.module

    @torch.no_grad()
    def __call__(self, scans: Tensor) -> Tensor:
        """Probabilities (B, K, Z, Y, X) of scans (B, C, Z, Y, X), which are equally many of each modality."""
        with torch.autocast(scans.device.type, enabled=scans.device.type == "cuda"):
            return self.network(scans).float().softmax(1)

    def update(self, network: nn.Module) -> None:
        """Update the average with the weights of the network after a step."""
        self.steps += 1
        self.average.update_parameters(network)

    def state(self) -> dict[str, Any]:
        """Averaged ``weights`` and the number of ``steps``. Buffers are the network's own, and are left out."""
        weights = {name: weight.detach() for name, weight in self.network.named_parameters()}
        return {"weights": weights, "steps": self.steps}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Become the teacher with this :meth:`state`.

        Raises:
            ValueError: it is that of another network.
        """
        weights = dict(self.network.named_parameters())
        if {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in state["weights"].items()}:
            raise ValueError("the state is that of a teacher of another network")
        for name, weight in weights.items():
            weight.copy_(state["weights"][name])
        self.steps = state["steps"]

    def _blend(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        """Move the average towards the current weights, with the momentum of this step."""
        momentum = min(self.momentum, self.steps / (self.steps + self.warm_up))
        get_ema_multi_avg_fn(momentum)(list(averaged), list(current), count)
