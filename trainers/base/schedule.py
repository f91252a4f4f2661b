"""The schedule of a training, from the plans: epochs, steps, and the decay of the learning rate."""

import time
from collections.abc import Iterable
from typing import ClassVar

from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from mass_nnunet.errors import exit_on_user_error

from .partly import PartlyAnnotatedTrainer
from .pretrained import check_weights_came

CHECKPOINTS = 20
"""A training is saved at least this often, and after each epoch as long as that takes less than ``SAVING``."""
SAVING = 0.05
"""Share of a training's time that the checkpoints of all its results folders may take: on a slow network disk, those of
a large network after each epoch would take longer than the epochs."""


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

    def set_up(self) -> None:
        """As in :class:`PartlyAnnotatedTrainer`; besides, the schedule of the plans."""
        super().set_up()
        schedule = self.plans_manager.plans["mass"]
        set_schedule(self, schedule["epochs"], schedule["iterations"], schedule["validation_iterations"])
        self.save_at_least: int = self.save_every
        self.begin, self.saving = time.monotonic(), 0.0  # seconds

    def on_train_start(self) -> None:
        """As in nnU-Net.

        Raises:
            SystemExit: nnU-Net has not read the pretrained weights of the command line.
        """
        if not self.was_initialized:
            self.initialize()
        with exit_on_user_error():
            check_weights_came(self.module)
        self.save_at_least = self.save_every
        self.begin, self.saving = time.monotonic(), 0.0
        super().on_train_start()

    def on_epoch_end(self) -> None:
        """As in nnU-Net, with a checkpoint if it is due."""
        self.save_every: int = 1 if self.saving <= SAVING * (time.monotonic() - self.begin) else self.save_at_least
        super().on_epoch_end()

    def save_checkpoint(self, filename: str) -> None:
        """Write the checkpoint into every results folder of this training; the time of all counts."""
        begin = time.monotonic()
        self.write_checkpoints(filename)
        self.saving += time.monotonic() - begin

    def write_checkpoints(self, filename: str) -> None:
        """Write nnU-Net's checkpoint into this dataset's results folder, as in :class:`GuardedTrainer`."""
        super().save_checkpoint(filename)

    @property
    def progress(self) -> float:
        """t/T: the share of the training that is done, from 0 to 1."""
        return self.current_epoch / self.num_epochs
