"""A modality without a label: from imagesUn alone, or with all labels hidden, through training to a prediction."""

import shutil
from pathlib import Path

import pytest
import torch

from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from nnunet_threads import use_threads
from scarce_group import (
    garble_hidden_labels,
    hidden_modality,
    models,
    predicted,
    same_weights,
    trained,
    unlabelled_modality,
    without_results,
)
from tiny_group import CT, MODEL, MRI, entry, use_folders


@pytest.fixture(scope="module")
def hidden(tmp_path_factory):
    """A planned group with all labels of MRI hidden, which no test changes."""
    root = tmp_path_factory.mktemp("hidden")
    hidden_modality(root)
    return root


@pytest.fixture
def root(hidden, tmp_path):
    return Path(shutil.copytree(hidden, tmp_path / "group"))


def test_scans_in_imagesun_alone(tmp_path, monkeypatch):
    """Labelled MRI carries a CT model."""
    root = tmp_path / "group"
    unlabelled_modality(root)
    use_folders(monkeypatch, root)
    use_threads(monkeypatch)
    assert main(["check", "-d", "801", "802", "-np", "1"]) == 0
    fold = entry(root, CT)
    assert (fold["train"], fold["val"], len(fold["unlabelled"])) == ([], [], 5)

    # The training is started from the dataset without labels, which nnU-Net itself could not train.
    weights = trained(root, "801", validated=True)
    assert models(root) == [CT, MRI]
    assert not list((root / "results" / CT).rglob("summary.json")), "there is nothing to validate on"
    assert list((root / "results" / MRI).rglob("summary.json"))
    scan = root / "raw" / CT / "imagesUn" / "ct0_0000.nii.gz"
    predicted(root, "801", scan, tmp_path)
    assert weights["atlases.outlined"][1] == 2
    checkpoint = root / "results" / CT / MODEL / "fold_0" / "checkpoint_final.pth"
    assert checkpoint.exists()


def test_all_labels_hidden(root, tmp_path):
    """Labelled CT carries an MRI model; labels of MRI validate it, and hidden ones change no weight."""
    fold = entry(root, MRI)
    assert (fold["train"], len(fold["val"]), len(fold["unlabelled"])) == ([], 1, 5)

    before = trained(root, "802", validated=True)
    assert models(root) == [CT, MRI]
    summary = root / "results" / MRI / MODEL / "fold_0" / "validation" / "summary.json"
    assert len(read_json(summary, "")["metric_per_case"]) == 1
    predicted(root, "802", root / "raw" / MRI / "imagesTs" / "mrtest_0000.nii.gz", tmp_path)

    without_results(root)
    assert garble_hidden_labels(root, MRI) == 4 * 4 + 2  # of four scans of imagesTr, and one of imagesUn
    after = trained(root, "802")
    assert same_weights(before, after)


@pytest.mark.parametrize("name", ["DualStreamTrainerOrganContrast", "MASSReleaseTrainer"])
def test_other_methods_of_the_group_train_it(root, name):
    weights = trained(root, "802", name)
    assert all(torch.isfinite(weight).all() for weight in weights.values())
