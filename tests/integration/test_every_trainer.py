"""Each trainer that nnU-Net finds: a training fills the results folders of its datasets, and reads no hidden label."""

import shutil

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet import trainers
from method_checks import HIDDEN_FILES, INSIDE, PATCH, change_annotated, damage_hidden, predicted, trained
from tiny_group import CT, MRI

CLOSE = {"atol": 1e-2, "rtol": 1e-2}
"""nnU-Net's predictor computes in half precision."""
WITH_ATLASES = {
    *("MASSTrainer", "MASSTrainerGIN", "MASSTrainerKL", "MASSTrainerMSE", "MASSTrainerNoAC", "MASSTrainerNoSC"),
    *("MASSTrainerNoOrganContrast", "MASSTrainerSCAC", "MASSTrainerSLAug"),
}
"""Trainers with a teacher, and labels that atlases propagate to the unlabelled scans."""
WITH_TEACHER = {
    *("BCPTrainer", "BCPTrainerOrganContrast", "MASSTrainerNoAtlas", "TCSMTrainer", "TCSMTrainerOrganContrast"),
}
WITH_OWN_LABELS = {"SelfTrainingTrainer", "SelfTrainingTrainerOrganContrast"}


def begun(one: nnUNetTrainer) -> tuple[bool, bool, bool]:
    """Whether a teacher teaches, atlases have propagated labels, and the network has labelled scans."""
    return (
        getattr(one, "teacher", None) is not None,
        getattr(one, "propagated", False),
        getattr(one, "labelled", False),
    )


@pytest.mark.parametrize("name", trainers.__all__)
def test_a_training_gives_its_datasets_models_and_hidden_labels_change_nothing(root, name):
    one = trained(name, "802", 2)
    assert begun(one) == (name in WITH_ATLASES | WITH_TEACHER, name in WITH_ATLASES, name in WITH_OWN_LABELS)
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
            logits.append(one.network(scan[None])[0][INSIDE])
        torch.testing.assert_close(predicted(root, dataset, name, scan), logits[-1], **CLOSE)
    if one.trains_group:
        is_pooled = isinstance(one, trainers.PooledTrainerOrganContrast)
        assert torch.allclose(*logits, **CLOSE) == is_pooled

    assert damage_hidden(root) == HIDDEN_FILES
    for other in {CT, MRI} - {*own}:
        shutil.rmtree(root / "preprocessed" / other)
    for key, value in trained(name, "802", 2).module.state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize("name", ["BCPTrainer", "SelfTrainingTrainer", "UniMatchTrainer"])
def test_annotations_change_something(root, name):
    """The test above can fail, also for trainers of one dataset."""
    expected = trained(name, "802", 2).module.state_dict()
    change_annotated(root, MRI)
    shutil.rmtree(root / "results")
    found = trained(name, "802", 2).module.state_dict()
    assert any(not torch.equal(value, expected[key]) for key, value in found.items())
