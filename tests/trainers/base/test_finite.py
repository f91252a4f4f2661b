"""Steps whose values are not finite."""

import numpy as np
import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.trainers.base.finite import check_scan, check_weights, only_finite_steps

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
