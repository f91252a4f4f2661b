from types import SimpleNamespace

import numpy as np
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet.trainers.base.guarded import GuardedTrainer
from tiny_group import entry, make_group, trainer, use_folders


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("group")
    make_group(root, 1000, 250)  # nnU-Net's own schedule
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        yield root


def first_losses(name: str) -> list[float]:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    one = trainer(name)
    one.on_train_start()
    losses = []
    for epoch in range(2):
        one.current_epoch = epoch
        one.on_train_epoch_start()
        losses += [float(one.train_step(next(one.dataloader_train))["loss"]) for _ in range(3)]
        one.network.eval()
        losses.append(float(one.validation_step(next(one.dataloader_val))["loss"]))
    return losses


def test_same_losses_as_stock_nnunet_from_the_same_seed(root):
    assert first_losses("SupervisedTrainer") == first_losses("nnUNetTrainer")


def test_same_schedule_and_the_labelled_cases_alone(root):
    ours, stock = trainer("SupervisedTrainer"), trainer("nnUNetTrainer")
    for name in ("num_epochs", "num_iterations_per_epoch", "num_val_iterations_per_epoch", "save_every", "initial_lr"):
        assert getattr(ours, name) == getattr(stock, name)
    fold = entry(root, "Dataset801_CTS")
    assert ours.do_split() == (fold["train"], fold["val"])


def test_a_short_schedule_comes_from_the_plans_and_is_saved_often(root):
    short = trainer("SupervisedTrainer").plans_manager.plans
    short["mass"] |= {"epochs": 40, "iterations": 7, "validation_iterations": 3}
    short["continue_training"] = False
    cls = type(trainer("SupervisedTrainer"))
    ours = cls(short, "3d_fullres", 0, trainer("SupervisedTrainer").dataset_json, torch.device("cpu"))
    assert (ours.num_epochs, ours.num_iterations_per_epoch, ours.num_val_iterations_per_epoch) == (40, 7, 3)
    assert ours.save_every == 2


@pytest.mark.parametrize(("seconds", "every"), [(0.0, 1), (4.0, 1), (6.0, 2)])
def test_a_checkpoint_is_due_after_each_epoch_unless_they_take_too_long(root, monkeypatch, seconds, every):
    one = trainer("SupervisedTrainer")
    one.save_at_least = 2
    monkeypatch.setattr(nnUNetTrainer, "on_epoch_end", lambda _: None)
    monkeypatch.setattr("mass_nnunet.trainers.base.schedule.time", SimpleNamespace(monotonic=lambda: one.begin + 100.0))
    one.saving = seconds
    one.on_epoch_end()
    assert one.save_every == every


def test_the_time_of_checkpoints_counts(root):
    one = trainer("SupervisedTrainer")
    one.num_epochs = one.num_iterations_per_epoch = one.num_val_iterations_per_epoch = 1
    one.run_training()
    assert one.saving > 0


def test_the_time_of_all_results_folders_counts(root, monkeypatch):
    one, now = trainer("MASSTrainer"), [0.0]
    one.initialize()
    monkeypatch.setattr("mass_nnunet.trainers.base.schedule.time", SimpleNamespace(monotonic=lambda: now[0]))
    assert len(one.dataset_trainers) == 2

    def write(*_: object) -> None:
        now[0] += 3.0

    monkeypatch.setattr(GuardedTrainer, "save_own_checkpoint", write)
    one.save_checkpoint("checkpoint_latest.pth")
    assert one.saving == 6
