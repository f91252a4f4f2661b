"""Steps whose values are not finite, and the trainings that they end."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.trainers.base.finite import check_scan, check_weights, only_finite_steps
from refused_training import METHODS, begun, write_nan
from tiny_group import CT, entry, trainer

BATCH = {"data": torch.ones(2, 1, 1, 2, 2), "keys": ["ct1", "mr0"]}


def step(loss, batch=BATCH, error=None):
    with only_finite_steps(batch, 3) as check_loss:
        if error is not None:
            raise error
        check_loss(np.array(loss))


def test_a_finite_step_passes():
    step(0.5)


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_names_the_scans_of_the_step(loss):
    with pytest.raises(SystemExit, match=r"^error: the loss is not finite in epoch 3, in a step with ct1, mr0: .*$"):
        step(loss)
    with pytest.raises(SystemExit, match=r"^error: the loss is not finite in epoch 3: [^\n]*$"):
        step(loss, {"data": BATCH["data"]})


@pytest.mark.parametrize("error", [None, RuntimeError("index out of bounds")])
def test_a_scan_that_is_not_finite_is_named_whatever_fails_by_it(error):
    data = BATCH["data"].clone()
    data[1, 0, 0, 1, 1] = torch.nan
    with pytest.raises(SystemExit, match=r"^error: mr0 holds values that are not finite [^\n]*$"):
        step(np.nan, BATCH | {"data": data}, error)


def test_another_error_is_raised_as_it_is():
    with pytest.raises(RuntimeError, match="out of memory"):
        step(0.5, error=RuntimeError("out of memory"))


def test_weights():
    whole = {"a": torch.zeros(2), "steps": torch.ones(1, dtype=torch.long)}
    check_weights(whole, 3)
    for value in (torch.nan, torch.inf):
        with pytest.raises(UserError, match="weights b are not finite in epoch 3"):
            check_weights(whole | {"b": torch.tensor([1, value])}, 3)


def test_a_scan_with_one_voxel_that_is_not_finite_is_refused_by_its_name():
    scan = np.zeros((1, 2, 3, 4), np.float32)
    check_scan(scan, "ct1")
    scan[0, 1, 2, 3] = np.inf
    with pytest.raises(SystemExit, match=r"^error: ct1 holds values that are not finite [^\n]*$"):
        check_scan(scan, "ct1")


@pytest.mark.parametrize(("name", "part"), [("SupervisedTrainer", "val"), ("MASSTrainer", "unlabelled")])
def test_a_scan_that_is_not_finite_ends_the_training_without_a_model(root, name, part):
    for case in entry(root, CT)[part]:
        write_nan(root, CT, case)
    one = trainer(name)
    with pytest.raises(SystemExit, match=r"^error: ct\w+ holds values that are not finite [^\n]*$"):
        one.run_training()
    assert not list((root / "results").rglob("*.pth"))
    assert not list((root / "results").rglob("lock-*"))


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_that_is_not_finite_ends_the_training_without_a_model(root, name, monkeypatch):
    one = trainer(name)
    one.initialize()
    loss = one.loss
    monkeypatch.setattr(one, "loss", lambda *given: loss(*given) * torch.nan)
    monkeypatch.setattr(one.loss, "terms", {term: torch.zeros(1) for term in getattr(one, "TERMS", ())}, raising=False)
    with pytest.raises(SystemExit, match=r"^error: the loss is not finite in epoch 0, in a step with ct\d[^\n]*$"):
        one.run_training()
    assert not list((root / "results").rglob("*.pth"))


@pytest.mark.parametrize("name", METHODS)
def test_weights_that_are_not_finite_are_not_written(root, name):
    one = begun(name)
    before = {file: file.read_bytes() for file in (root / "results").rglob("*.pth")}
    with torch.no_grad():
        next(one.network.parameters()).view(-1)[0] = torch.inf
    with pytest.raises(SystemExit, match=r"^error: the weights \S+ are not finite in epoch 0, and are not written"):
        one.save_checkpoint(str(Path(one.output_folder) / "checkpoint_latest.pth"))
    assert {file: file.read_bytes() for file in (root / "results").rglob("*.pth")} == before != {}
