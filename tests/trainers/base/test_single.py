"""A method of one modality, by two: one of nnU-Net's networks, and one that knows modalities."""

import pytest

from mass_nnunet.trainers.base.single import SingleTrainer
from tiny_group import MRI, trainer

pytestmark = pytest.mark.usefixtures("root")


@pytest.mark.parametrize("name", ["CPSTrainer", "SingleModalityTrainer"])
def test_it_is_a_group_of_one(name):
    one = trainer(name, "802")
    assert isinstance(one, SingleTrainer)
    one.initialize()
    assert one.dataset_trainers == [one]
    assert one.partners == []
    assert one.layout.modalities == 1
    assert one.plans_manager.dataset_name == MRI


def test_a_network_of_one_modality_is_not_told_which():
    one = trainer("CPSTrainer")
    one.initialize()
    one.activate([1])
    assert not hasattr(one.module, "active")
