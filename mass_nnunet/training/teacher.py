"""The mean teacher: a running average of the network, which segments the unlabelled scans as they are."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from mass_nnunet.networks.blocks import set_deep_supervision

MOMENTUM = 0.99
"""Of the running average: it spans about a hundred steps."""
WARM_UP = 9
"""After n steps the average spans about n / WARM_UP of them, until MOMENTUM is reached: first weights fade soon."""


class Teacher:
    """Exponential moving average of a network's weights (Tarvainen and Valpola, Mean teachers, NeurIPS 2017).

    It is no part of the checkpoint: a training that goes on begins with a teacher equal to the network.

    Args:
        network: without the wrappers of DDP and torch.compile; in evaluation mode it segments.
        inference: by which a :class:`networks.MASSNet` segments.
        momentum: of the running average.
        warm_up: after n steps the average spans about n / warm_up of them, until ``momentum`` is reached.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        inference: str = "segmentation",
        momentum: float = MOMENTUM,
        warm_up: int = WARM_UP,
    ) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        set_deep_supervision(self.network, False)
        self.network.inference = inference
        self.momentum, self.warm_up = momentum, warm_up
        self.steps = 0

    @torch.no_grad()
    def __call__(self, scans: Tensor) -> Tensor:
        """Probabilities (B, K, Z, Y, X) of scans (B, C, Z, Y, X), in equal shares of all modalities."""
        with torch.autocast(scans.device.type, enabled=scans.device.type == "cuda"):
            return self.network(scans).float().softmax(1)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of the network after a step."""
        self.steps += 1
        momentum = min(self.momentum, self.steps / (self.steps + self.warm_up))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - momentum)
