"""The schedule of a training, from the plans: epochs, steps, and the decay of the learning rate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.json_export import recursive_fix_for_json_export
from torch import nn

from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.errors import exit_on_user_error

from .inputs import check_inputs, check_plans, planned_datasets
from .nnunet_private import use_plain_best_dice

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


class ScheduledTrainer(nnUNetTrainer):
    """nnU-Net's trainer with epochs and iterations taken from ``mass`` in the plans; their default is nnU-Net's own."""

    trains_group: ClassVar[bool] = False
    """Whether one training gives the models of all datasets of the group."""

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
        with exit_on_user_error():  # before nnU-Net's trainer makes a folder and a log
            check_plans(plans, configuration)
            unlabelled = self.reads_unlabelled(plans)
            for dataset in planned_datasets(plans, dataset_json, configuration, self.trains_group):
                check_inputs(dataset, fold, unlabelled)
        super().__init__(plans, configuration, fold, dataset_json, device)
        schedule = plans["mass"]
        self.num_epochs = schedule["epochs"]
        self.num_iterations_per_epoch = schedule["iterations"]
        self.num_val_iterations_per_epoch = schedule["validation_iterations"]
        self.save_every: int = max(1, min(self.save_every, self.num_epochs // CHECKPOINTS))

    @classmethod
    def reads_unlabelled(cls, plans: dict[str, Any]) -> bool:
        """Whether a training by these plans reads the scans that have no labels in the fold."""
        return False

    def do_split(self) -> tuple[list[str], list[str]]:
        """Annotated training cases and validation cases; nnU-Net would make up a split for a fold that is not there."""
        fold = self.fold_cases()
        return list(fold.train), list(fold.val)

    def fold_cases(self) -> Fold:
        """The cases of this dataset's fold.

        Raises:
            SystemExit: the fold does not exist, in one clear line.
        """
        with exit_on_user_error():
            return load_fold(Path(self.preprocessed_dataset_folder_base), self.fold)

    @property
    def progress(self) -> float:
        """t/T: the share of the training that is done, from 0 to 1."""
        return self.current_epoch / self.num_epochs

    def save_checkpoint(self, filename: str) -> None:
        """As in nnU-Net, with plain numbers instead of NumPy's: ``torch.load(weights_only=True)`` reads it."""
        recursive_fix_for_json_export(self.logger.get_checkpoint())
        use_plain_best_dice(self)
        super().save_checkpoint(filename)
