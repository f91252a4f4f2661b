"""A mean teacher that goes on with its training: killed and resumed, it is the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mass_nnunet.trainers.base.taught import KEY
from method_checks import model_folder
from tiny_group import CT, MRI, trainer

pytestmark = pytest.mark.usefixtures("root")


class Killed(Exception):
    """The training ends here, as if by a signal."""


def killed_training(monkeypatch: pytest.MonkeyPatch, name: str, epochs: int = 2, iterations: int = 4):
    """A trainer, saved after each epoch, that was killed when so many were done."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    one = trainer(name)
    one.num_epochs, one.save_every, one.num_iterations_per_epoch = epochs + 8, 1, iterations
    begin = one.on_train_epoch_start

    def kill() -> None:
        if one.current_epoch == epochs:
            raise Killed
        begin()

    monkeypatch.setattr(one, "on_train_epoch_start", kill)
    with pytest.raises(Killed):
        one.run_training()
    return one


def resumed(name: str, checkpoint: Path, dataset: str = "801"):
    """A trainer that is about to go on from a checkpoint, as with --c."""
    again = trainer(name, dataset, continue_training=True)
    again.load_checkpoint(str(checkpoint))
    again.on_train_start()
    return again


def fold_folder(root: Path, name: str, dataset: str = CT) -> Path:
    return model_folder(root, dataset, name) / "fold_0"


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(("name", "datasets"), [("MASSTrainer", (CT, MRI)), ("TCSMTrainer", (CT,))])
def test_a_killed_training_goes_on_with_the_same_teacher(root, monkeypatch, name, datasets):
    one = killed_training(monkeypatch, name)
    assert one.teacher.steps == 8
    assert not same_weights(one.teacher.network, one.module)
    for dataset in datasets:
        again = resumed(name, fold_folder(root, name, dataset) / "checkpoint_latest.pth", dataset[7:10])
        assert again.current_epoch == 2
        assert again.teacher.steps == 8
        assert same_weights(again.teacher.network, one.teacher.network)
        assert same_weights(again.module, one.module)
    again.network.train()
    again.train_step(next(again.dataloader_train))
    assert again.teacher.steps == 9


def test_only_the_checkpoint_to_go_on_from_has_the_teacher_and_it_is_safe_to_read(root, monkeypatch):
    killed_training(monkeypatch, "MASSTrainer", epochs=1)
    folder = fold_folder(root, "MASSTrainer")
    latest = torch.load(folder / "checkpoint_latest.pth", weights_only=True)
    assert latest[KEY]["steps"] == 4
    assert KEY not in torch.load(folder / "checkpoint_best.pth", weights_only=True)
    again = resumed("MASSTrainer", folder / "checkpoint_latest.pth")
    again.num_epochs = 2
    again.run_training()
    final = torch.load(folder / "checkpoint_final.pth", weights_only=True)
    assert {KEY} == latest.keys() - final.keys()


def test_a_checkpoint_without_a_teacher_goes_on_with_one_that_is_the_network(root, monkeypatch):
    """As those of older versions, and checkpoint_best."""
    one = killed_training(monkeypatch, "MASSTrainer", epochs=1)
    latest = fold_folder(root, "MASSTrainer") / "checkpoint_latest.pth"
    older = torch.load(latest, weights_only=True)
    del older[KEY]
    torch.save(older, latest)
    again = resumed("MASSTrainer", latest)
    assert again.teacher.steps == 0
    assert same_weights(again.teacher.network, again.module)
    assert same_weights(again.module, one.module)


def test_the_teacher_is_that_of_the_checkpoint_that_was_loaded_last(root, monkeypatch):
    killed_training(monkeypatch, "MASSTrainer", epochs=1)
    folder = fold_folder(root, "MASSTrainer")
    again = trainer("MASSTrainer", continue_training=True)
    again.load_checkpoint(str(folder / "checkpoint_latest.pth"))
    again.load_checkpoint(str(folder / "checkpoint_best.pth"))
    again.on_train_start()
    assert again.teacher.steps == 0


def test_a_checkpoint_whose_teacher_cannot_be_written_is_not_written(root, monkeypatch):
    """Network and teacher are always of one epoch: the checkpoint before stays as it was."""
    save, full = torch.save, []

    def save_until_full(content, file) -> None:
        if KEY in content and content["current_epoch"] == 2:
            full.append(file)
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", save_until_full)
    with pytest.raises(SystemExit, match=r"checkpoint_latest\.pth: No space left on device: make room"):
        killed_training(monkeypatch, "MASSTrainer", epochs=3)
    assert full
    folder = fold_folder(root, "MASSTrainer")
    latest = torch.load(folder / "checkpoint_latest.pth", weights_only=True)
    assert (latest["current_epoch"], latest[KEY]["steps"]) == (1, 4)
    assert not list(folder.glob(".tmp*"))
