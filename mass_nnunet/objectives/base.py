"""The base class of all objectives: one rule that makes a loss of named terms."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from mass_nnunet.batch import Layout, StepContext, StepLabels


class Objective(ABC):
    """The weighted sum of named terms, L = sum_i w_i r_i(t/T) L_i.

    r_i is :func:`ramp_up` for the terms that ramp up and 1 for the others. A subclass computes the terms of a training
    step (:meth:`compute`). A term that is absent from a step adds nothing.

    A training step passes :class:`mass_nnunet.batch.StepLabels`. A validation step passes plain labels, and its loss is
    nnU-Net's own (:meth:`validation_loss`).

    Args:
        supervised: nnU-Net's own loss, a function of (logits from fine to coarse, labels from fine to coarse).
        weights: w_i by the name of the term.
        ramped: names of the terms that ramp up.
        ramp: share of the training after which these terms have their full weight.

    Raises:
        ValueError: a term in ``ramped`` has no weight.
    """

    MEASURES: ClassVar[tuple[str, ...]] = ()
    """Names of the quantities that are computed for the log only, without weight."""

    def __init__(
        self,
        supervised: Callable[..., Tensor],
        weights: Mapping[str, float],
        *,
        ramped: Collection[str] = (),
        ramp: float = 1.0,
    ) -> None:
        if unknown := set(ramped) - set(weights):
            raise ValueError(f"{min(unknown)} is to ramp up and has no weight")
        self.supervised = supervised
        self.weights = dict(weights)
        self.ramped = frozenset(ramped)
        self.ramp = ramp
        self.terms: dict[str, Tensor] = {}
        """The latest value of each term after a step, without gradient, for the log: not every batch has all terms."""

    def __call__(self, output: Any, target: StepLabels | list[Tensor]) -> Tensor:
        """The loss of a step.

        Args:
            output: output of the network; in a validation step logits from fine to coarse, (S, K, Z_s, Y_s, X_s) each.
            target: labels and context of a training step, or the labels of a validation step, from fine to coarse, each
                (S, 1, Z_s, Y_s, X_s).

        Raises:
            KeyError: a term has no weight.
        """
        if not isinstance(target, StepLabels):
            return self.validation_loss(output, target)
        terms = self.compute(output, target.labels, target.context)
        names = (*self.weights, *self.MEASURES)
        if unknown := terms.keys() - set(names):
            raise KeyError(f"the term {min(unknown)} has no weight")
        latest = {name: value.detach() for name, value in terms.items()}
        never = next(iter(latest.values())).new_zeros(())
        self.terms = dict.fromkeys(names, never) | self.terms | latest
        ramp = ramp_up(target.context.progress / self.ramp)
        scale = {name: weight * ramp if name in self.ramped else weight for name, weight in self.weights.items()}
        return sum((scale[name] * value for name, value in terms.items() if name in scale), start=torch.zeros(()))

    @abstractmethod
    def compute(self, output: Any, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms and measures of a training step, by name; scalars."""

    def validation_loss(self, output: list[Tensor], labels: list[Tensor]) -> Tensor:
        """The loss of a validation step: nnU-Net's own."""
        return self.supervised(output, labels)

    def on_labelled(self, logits: list[Tensor], labels: list[Tensor], layout: Layout) -> Tensor:
        """nnU-Net's own loss of the annotated scans of a batch; labels of the other scans are not used."""
        return self.supervised(*([layout.annotated(x).flatten(0, 1) for x in scales] for scales in (logits, labels)))


def ramp_up(progress: float) -> float:
    """exp(-5 (1 - t/T)^2), the weight of the unsupervised terms at the share ``progress`` = t/T of the training."""
    return math.exp(-5 * (1 - min(max(progress, 0.0), 1.0)) ** 2)
