"""The measures of a network, from the group's part of the plans; networks of it: trainers/test_mass_trainer.py."""

from types import SimpleNamespace

import pytest
from torch import nn

from mass_nnunet.hyperparameters import Hyperparameters
from mass_nnunet.networks.intensity import PRIOR
from mass_nnunet.trainers.base.blueprint import Blueprint


def blueprint(*channels: int, modality: str = "MRI") -> Blueprint:
    """The blueprint of a group of CT and MRI, with the numbers of channels that the plans state."""
    modalities = [{"name": name, "dataset": f"Dataset80{i}"} for i, name in enumerate(("CT", "MRI"))]
    for one, count in zip(modalities, channels, strict=False):
        one["channels"] = count
    mass = {"modalities": modalities, "modality": modality, "inference": "fused"}
    configuration = SimpleNamespace(spacing=[4.0, 2.0, 0.5], patch_size=[8, 16, 32])
    return Blueprint(SimpleNamespace(plans={"mass": mass}), configuration, 3, 5, True, Hyperparameters())


def test_the_modality_of_the_plans_in_its_group():
    assert blueprint().modalities == 2
    assert (blueprint(modality="CT").modality, blueprint().modality) == (0, 1)


def test_a_volume_in_voxels():
    assert blueprint().voxels(2) == pytest.approx(500)  # 2000 mm3 of 4 mm3 each


def test_all_modalities_have_the_channels_of_this_one_unless_the_plans_say_otherwise():
    assert blueprint().group_channels == [3, 3]
    assert blueprint(1, 4).group_channels == [1, 4]


def test_the_bank_of_a_group_has_room_for_its_largest_images():
    capacity = Hyperparameters().atlases
    assert blueprint(1, 4).atlases(2).images.shape == (2, capacity, 4, 8, 16, 32)
    assert blueprint(1, 4).atlases(1).images.shape == (1, capacity, 3, 8, 16, 32)  # of the plans' own dataset
    assert blueprint(1, 4).atlases(2).classes == 5


def test_a_network_with_a_head_alone_can_also_adapt_and_one_with_inferences_stays():
    plain = blueprint().adapting(nn.Conv3d(3, 5, 1))
    assert plain.inferences == ("segmentation", "adapted")
    assert plain.inference == "segmentation", "fused needs atlases"
    assert plain.intensity_prior == pytest.approx(blueprint().voxels(PRIOR))
    own = nn.Conv3d(3, 5, 1)
    own.inferences = ("atlas",)
    assert blueprint().adapting(own) is own
    assert own.inferences == ("atlas",) and not own._forward_hooks


def test_unets_have_the_channels_of_their_modality(monkeypatch):
    built = []
    path = "mass_nnunet.trainers.base.blueprint.nnUNetTrainer.build_network_architecture"
    monkeypatch.setattr(path, lambda plans, configuration, channels, classes, deep: built.append((channels, classes)))
    blueprint(1, 4).unets()
    blueprint(1, 4).unet(images=2)
    assert built == [(1, 5), (4, 5), (6, 5)]
