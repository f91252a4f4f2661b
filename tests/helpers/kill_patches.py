"""What a forked command is spared, and what it tells of its progress."""

import importlib
import pkgutil
import sys
from types import ModuleType

import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training import nnUNetTrainer as trainer_variants

from faults import reached
from mass_nnunet.cli import COMMANDS as CLI
from mass_nnunet.trainers import mass_trainer, propagation
from mass_nnunet.trainers.base.group import GroupTrainer


def tell_of_steps(patch: pytest.MonkeyPatch) -> None:
    """Let the faults know of epochs, of propagation and templates, and of the scans of a prediction."""
    scans = iter(range(1, 1000))
    begin, end = mass_trainer.MASSTrainer.on_train_epoch_start, GroupTrainer.on_epoch_end
    predict = nnUNetPredictor.predict_logits_from_preprocessed_data

    def on_train_epoch_start(trainer: mass_trainer.MASSTrainer) -> None:
        print(f"epoch {trainer.current_epoch} begins")
        reached(f"epoch {trainer.current_epoch}")
        begin(trainer)

    def on_epoch_end(trainer: GroupTrainer) -> None:
        end(trainer)
        print(f"epoch {trainer.current_epoch - 1} is done")

    def predict_logits(*arguments: object) -> object:
        reached(f"predict_logits {next(scans)}")
        return predict(*arguments)

    patch.setattr(mass_trainer.MASSTrainer, "on_train_epoch_start", on_train_epoch_start)
    patch.setattr(GroupTrainer, "on_epoch_end", on_epoch_end)
    patch.setattr(nnUNetPredictor, "predict_logits_from_preprocessed_data", predict_logits)
    for name in ("locate_organs", "propagate_labels", "put_templates"):
        _tell_of(patch, mass_trainer, name, name)
    _tell_of(patch, propagation, "write_labels", "write_labels")
    _tell_of(patch, torch, "save", "torch.save")


def _tell_of(patch: pytest.MonkeyPatch, module: ModuleType, function: str, name: str) -> None:
    original = getattr(module, function)

    def telling(*arguments: object, **others: object) -> object:
        reached(name)
        return original(*arguments, **others)

    patch.setattr(module, function, telling)


def import_everything() -> None:
    """What commands import when they run: a forked process has it then."""
    for name, _ in CLI.values():
        importlib.import_module(name)
    for module in pkgutil.walk_packages(sys.modules["mass_nnunet"].__path__, "mass_nnunet."):
        importlib.import_module(module.name)
    for module in pkgutil.walk_packages(trainer_variants.__path__, f"{trainer_variants.__name__}."):
        importlib.import_module(module.name)  # nnU-Net looks for the trainer in all of them
