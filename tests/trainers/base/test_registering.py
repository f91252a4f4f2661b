"""Trainers whose networks register: what their networks are given, and their atlases."""

import numpy as np
import pytest
import torch

from mass_nnunet.batch import Scans, Targets
from tiny_group import CT, entry, trainer

pytestmark = pytest.mark.usefixtures("root")


@pytest.mark.parametrize("name", ["MASSTrainer", "VoxelMorphTrainer", "LTNetTrainer"])
def test_network_and_objective_get_one_layout(name):
    one = trainer(name)
    one.on_train_start()
    batch = next(one.dataloader_train)
    prepared = one.prepare(batch)
    scans, target = prepared["data"], prepared["target"]
    assert isinstance(scans, Scans)
    assert isinstance(target, Targets)
    assert scans.layout is target.context.layout
    assert scans.layout.scans == len(scans.images) == len(batch["keys"])
    assert target.context.progress == 0


def test_atlases_are_one_patch_of_each_annotated_case_and_no_more_than_asked_for(root):
    one = trainer("VoxelMorphTrainer", fold=1)
    annotated = entry(root, CT, 1)["train"]
    images, labels = one.atlas_patches(len(annotated) + 1)
    assert len(images) == len(labels) == len(annotated)
    assert len(one.atlas_patches(1)[0]) == 1
    patch = tuple(one.configuration_manager.patch_size)
    assert all(image.shape == (1, *patch) and label.shape == patch for image, label in zip(images, labels, strict=True))
    # The same fold samples the same atlases.
    assert all(torch.equal(a, b) for a, b in zip(images, one.atlas_patches(9)[0], strict=True))


def test_a_patch_lies_around_the_organs_and_is_filled_where_the_scan_is_smaller():
    one = trainer("VoxelMorphTrainer")
    image, label = np.zeros((1, 4, 20, 40), np.float32), np.zeros((4, 20, 40), np.int16)
    label[1:3, 2:6, 30:34], image[0, 1:3, 2:6, 30:34] = 1, 5
    cut, its_label = one.organ_patch(image, label)
    assert cut.shape[1:] == its_label.shape == (8, 16, 16)
    assert int(its_label.sum()) == label.sum()
    assert torch.equal(cut[0] > 0, its_label > 0)
