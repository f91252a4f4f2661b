"""The schedule of a training; that stock trainings follow it: comparisons/test_supervised.py."""

from types import SimpleNamespace

import pytest
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from torch import nn

from mass_nnunet.trainers.base.schedule import CHECKPOINTS, ScaledPolyLR, set_schedule, two_rates


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(4, 5))


def test_every_parameter_is_in_one_of_the_two_groups(network):
    whole, part = two_rates(network, [network[1], network[2]], 0.1)
    assert [whole["scale"], part["scale"]] == [1.0, 0.1]
    assert [id(p) for p in whole["params"]] == [id(p) for p in network[0].parameters()]
    own = [*network[1].parameters(), *network[2].parameters()]
    assert [id(p) for p in part["params"]] == [id(p) for p in own]


def test_each_group_has_its_share_of_nnunets_learning_rate_in_every_step(network):
    ours = torch.optim.SGD(two_rates(network, [network[1]], 0.25), lr=0.01)
    theirs = torch.optim.SGD(network.parameters(), lr=0.01)
    scaled, stock = ScaledPolyLR(ours, 0.01, 10), PolyLRScheduler(theirs, 0.01, 10)
    for epoch in range(10):
        scaled.step(epoch)
        stock.step(epoch)
        (expected,) = stock.get_last_lr()
        assert scaled.get_last_lr() == pytest.approx([expected, 0.25 * expected])
        assert [group["lr"] for group in ours.param_groups] == scaled.get_last_lr()


@pytest.mark.parametrize(("epochs", "every"), [(10, 1), (20 * CHECKPOINTS, 20), (1000 * CHECKPOINTS, 50)])
def test_a_training_is_saved_as_often_as_its_length_asks_for_but_not_less_often_than_nnunet_does(epochs, every):
    trainer = SimpleNamespace(save_every=50)
    set_schedule(trainer, epochs, 7, 3)
    assert trainer.save_every == every
    assert (trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch) == (
        epochs,
        7,
        3,
    )
