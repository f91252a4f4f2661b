"""The objective of a method that MASS is compared with: nnU-Net's own loss, and the method's terms beside it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mass_nnunet.batch import Layout


class MethodObjective:
    """The weighted sum of all terms for one training batch; nnU-Net's own loss alone for a validation batch.

    Args:
        supervised: nnU-Net's own loss, of (logits from fine to coarse, labels from fine to coarse).
        terms: of (output of the network, labels), the terms by name; :meth:`on_labelled` gives the first of them.
        layout: of the batch.
        weights: of the terms; what ramps up does so to this value.
        ramped: names of the terms whose weight ramps up.
        ramp: share of the training at which it has done so.
    """

    def __init__(
        self,
        supervised: Callable[..., Tensor],
        terms: Callable[[Any, list[Tensor]], dict[str, Tensor]],
        layout: Layout,
        weights: Mapping[str, float],
        *,
        ramped: Sequence[str] = (),
        ramp: float = 1.0,
    ) -> None:
        self.supervised = supervised
        self.compute = terms
        self.layout = layout
        self.weights = weights
        self.ramped = ramped
        self.ramp = ramp
        # t/T, set by the trainer as the training goes on.
        self.progress = 0.0
        # The terms of the last batch, without gradient: for the log.
        self.terms: dict[str, Tensor] = {}

    def __call__(self, output: Any, labels: list[Tensor]) -> Tensor:
        """The objective.

        Args:
            output: of the network; in a validation batch logits from fine to coarse.
            labels: from fine to coarse, each (S, 1, Z_s, Y_s, X_s), and whatever a method's loader adds to them.
        """
        if not torch.is_grad_enabled():  # nnU-Net validates so
            return self.supervised(output, labels)
        terms = self.compute(output, labels)
        self.terms = {name: value.detach() for name, value in terms.items()}
        ramp = ramp_up(self.progress / self.ramp)
        return sum(self.weights[name] * (ramp if name in self.ramped else 1.0) * x for name, x in terms.items())

    def on_labelled(self, logits: list[Tensor], labels: list[Tensor]) -> Tensor:
        """nnU-Net's own loss of the labelled scans of a batch; the labels of the others are not looked at."""
        labelled = self.layout.is_labelled(logits[0].device)
        return self.supervised([x[labelled] for x in logits], [y[labelled] for y in labels])


def ramp_up(progress: float) -> float:
    """exp(-5 (1 - t/T)^2), the weight of the unsupervised terms at the share ``progress`` = t/T of the training."""
    return math.exp(-5 * (1 - min(max(progress, 0.0), 1.0)) ** 2)
