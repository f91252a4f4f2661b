"""The schedule of a training, from the plans: epochs, steps, and the decay of the learning rate."""

from collections.abc import Iterable
from typing import ClassVar

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from .partly import PartlyAnnotatedTrainer

CHECKPOINTS = 20
"""A training is saved at least this often, so that a killed one loses little."""


class ScaledPolyLR(PolyLRScheduler):
    """nnU-Net's decay of the learning rate; each group of parameters has its own share of it, ``scale``."""

    def step(self, current_step: int | None = None) -> None:
        """As in nnU-Net."""
        super().step(current_step)
        for group in self.optimizer.param_groups:
            group["lr"] *= group["scale"]
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def two_rates(network: nn.Module, parts: Iterable[nn.Module], scale: float) -> list[dict]:
    """Parameter groups for :class:`ScaledPolyLR`: all parameters at the whole rate, those of ``parts`` at a share."""
    own = {id(p) for part in parts for p in part.parameters()}
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if id(p) not in own], "scale": 1.0},
        {"params": [p for p in parameters if id(p) in own], "scale": scale},
    ]


def set_schedule(trainer: nnUNetTrainer, epochs: int, iterations: int, validation_iterations: int) -> None:
    """Give a schedule to any trainer of nnU-Net, before it is initialized."""
    trainer.num_epochs = epochs
    trainer.num_iterations_per_epoch = iterations
    trainer.num_val_iterations_per_epoch = validation_iterations
    trainer.save_every = max(1, min(trainer.save_every, epochs // CHECKPOINTS))


class ScheduledTrainer(PartlyAnnotatedTrainer):
    """nnU-Net's trainer with epochs and iterations taken from ``mass`` in the plans; their default is nnU-Net's own."""

    inferences: ClassVar[tuple[str, ...]] = ()
    """What a model can be asked to predict by, at the default hyperparameters; empty where there is no choice."""

    def __init__(
        self,
        plans: dict,
        configuration: str,
        fold: int,
        dataset_json: dict,
        device: torch.device = torch.device("cuda"),  # noqa: B008, nnU-Net reads this very signature
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        schedule = plans["mass"]
        set_schedule(self, schedule["epochs"], schedule["iterations"], schedule["validation_iterations"])

    @property
    def progress(self) -> float:
        """t/T: the share of the training that is done, from 0 to 1."""
        return self.current_epoch / self.num_epochs
