"""Each trainer that nnU-Net finds: a training fills the results folders of its datasets, and reads no hidden label."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from nnunetv2.training.logging.nnunet_logger import LocalLogger
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet import trainers
from mass_nnunet.trainers.base import joint
from method_checks import INSIDE, PATCH, damage_hidden, predicted, trained
from tiny_group import CT, MRI

BEGUN: dict[str, Callable[[nnUNetTrainer], bool]] = {
    "BCPTrainer": lambda one: one.teacher is not None,
    "SelfTrainingTrainer": lambda one: one.labelled,
    "MASSTrainer": lambda one: one.propagated,
}
"""Whether what begins in the course of a training has begun."""


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Curves take longer than these trainings."""
    monkeypatch.setattr(LocalLogger, "plot_progress_png", lambda _, folder: (Path(folder) / "progress.png").touch())
    monkeypatch.setattr(joint, "plot_terms", lambda _, path: path.touch())


@pytest.mark.parametrize("name", trainers.__all__)
def test_a_training_gives_its_datasets_models_and_hidden_labels_change_nothing(root, name):
    one = trained(name, "802", 2)
    assert BEGUN.get(name, lambda _: True)(one)
    own = (CT, MRI) if one.trains_group else (MRI,)
    assert {folder.name for folder in (root / "results").iterdir()} == {*own}

    expected, scan = one.module.state_dict(), torch.randn(1, *PATCH)
    one.set_deep_supervision_enabled(False)
    one.network.eval()
    logits = []
    for modality, dataset in enumerate(own):
        if one.trains_group:
            one.activate([modality])
        with torch.no_grad():
            logits.append(one.network(scan[None])[0])
        torch.testing.assert_close(predicted(root, dataset, name, scan), logits[-1][INSIDE], atol=1e-2, rtol=1e-2)
    if one.trains_group:
        assert torch.equal(*logits) == isinstance(one, trainers.PooledTrainerOrganContrast)

    damage_hidden(root)
    for other in {CT, MRI} - {*own}:
        shutil.rmtree(root / "preprocessed" / other)
    for key, value in trained(name, "802", 2).module.state_dict().items():
        assert torch.equal(value, expected[key]), key
