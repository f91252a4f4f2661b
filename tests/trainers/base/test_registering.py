"""Trainers whose networks register: what their networks are given, and their atlases."""

import numpy as np
import pytest
import torch

from mass_nnunet.batch import Scans, StepLabels
from mass_nnunet.trainers.base.group import GroupTrainer
from tiny_group import CT, entry, trainer, with_batch

pytestmark = pytest.mark.usefixtures("root")


@pytest.mark.parametrize("name", ["MASSTrainer", "VoxelMorphTrainer", "LTNetTrainer"])
def test_network_and_objective_get_one_layout(name):
    one = trainer(name)
    one.on_train_start()
    batch = next(one.dataloader_train)
    prepared = one.prepare(batch)
    scans, target = prepared["data"], prepared["target"]
    assert isinstance(scans, Scans)
    assert isinstance(target, StepLabels)
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


@pytest.mark.parametrize(("batch", "processes", "remedy"), [(1, 1, 2), (2, 2, 4), (5, 3, 6)])
@pytest.mark.parametrize("name", ["MASSTrainer", "VoxelMorphTrainer", "BCPTrainer"])
def test_an_annotated_scan_that_is_alone_in_a_process_is_refused(root, monkeypatch, name, batch, processes, remedy):
    with_batch(root, batch)
    monkeypatch.setattr(GroupTrainer, "processes", processes)
    monkeypatch.setattr(GroupTrainer, "wait", lambda _: None)  # there are no other processes
    with pytest.raises(
        SystemExit, match=rf"^error: .*{CT}/MASSPlans.json: .* itself: .* --batch-size {remedy} or more [^\n]*$"
    ):
        trainer(name).run_training()


@pytest.mark.parametrize(
    ("name", "batch", "processes"),
    [
        ("MASSTrainer", 2, 1),
        ("MASSTrainer", 4, 2),
        ("DualStreamTrainer", 1, 1),
        ("MASSTrainerNoAtlas", 2, 2),
        ("UniMatchTrainer", 1, 1),
    ],
)
def test_it_is_not_where_it_has_company_or_nothing_is_registered(root, monkeypatch, name, batch, processes):
    with_batch(root, batch)
    monkeypatch.setattr(GroupTrainer, "processes", processes)
    monkeypatch.setattr(GroupTrainer, "wait", lambda _: None)  # there are no other processes
    one = trainer(name)
    one.initialize()
    training, _ = one.get_dataloaders()
    assert len(next(training)["keys"]) >= 2 * batch
