"""The page about a trained model, and what it is made of."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mass_nnunet.branches import explain, load_model
from mass_nnunet.cli import main
from mass_nnunet.hyperparameters import INFERENCES
from tiny_group import CT, MODEL, MRI, make_group, trainer, variables

PICTURE = re.compile(r"data:image/png;base64,([^\"]+)")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A model that has hardly learned anything."""
    root = tmp_path_factory.mktemp("visualize")
    make_group(root)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables(root).items():
            patch.setenv(variable, value)
        mass = trainer("MASSTrainer")
        mass.num_epochs = 1
        mass.run_training()
        yield root


def visualize(tmp_path: Path, *words: str) -> int:
    return main(["visualize", *words, "-o", str(tmp_path / "page.html"), "-device", "cpu"])


def test_a_page_with_every_branch_and_the_registration_of_each_case(root, tmp_path):
    assert visualize(tmp_path, "cttest", "ct0", "ctun", "-d", "801") == 0
    page = (tmp_path / "page.html").read_text()
    assert [case for case in ("cttest", "ct0", "ctun") if f"<h2>{case}</h2>" in page] == ["cttest", "ct0", "ctun"]
    pictures = [base64.b64decode(found) for found in PICTURE.findall(page)]
    assert len(pictures) == 6
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert ["no truth is known" in caption for caption in captions[::2]] == [False, False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_is_shown_is_what_the_model_predicts(root):
    raw = root / "raw" / MRI
    predictor = load_model(root / "results" / MRI / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    found = explain(predictor, [raw / "imagesTs/mrtest_0000.nii.gz"], raw / "labelsTs/mrtest.nii.gz")
    assert tuple(found.predictions) == INFERENCES
    assert all(labels.shape == found.image.shape == found.truth.shape for labels in found.predictions.values())
    assert set(np.unique(found.truth)) == {0, 1, 2, 3, 4}
    registration = found.registration
    patch = tuple(predictor.configuration_manager.patch_size)
    assert registration.field.shape == (3, *patch)
    assert registration.warped_labels.shape == (5, *patch)
    np.testing.assert_allclose(registration.warped_labels.sum(0), 1, atol=1e-4)
    # Each branch by itself is what nnU-Net's predictor gives with that inference in the plans.
    network = predictor.network
    assert network.inference == "fused"
    data = torch.from_numpy(found.image[None]).float()
    again = predictor.predict_sliding_window_return_logits(data).float().argmax(0).numpy()
    assert np.array_equal(again, found.predictions["fused"])


def test_a_model_without_atlases_shows_what_it_predicts_by_and_no_registration(root):
    raw = root / "raw" / MRI
    predictor = load_model(root / "results" / MRI / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    predictor.network.correspondence = None
    found = explain(predictor, [raw / "imagesTs/mrtest_0000.nii.gz"], None)
    assert tuple(found.predictions) == ("segmentation", "adapted")
    assert found.registration is None


def test_what_is_not_there(root, tmp_path, capsys):
    assert visualize(tmp_path, "nobody", "-d", "801") == 2
    assert f"{CT} has no case nobody: name one of imagesTs, imagesTr or imagesUn" in capsys.readouterr().err
    assert visualize(tmp_path, "ct0", "-d", "801", "-f", "3") == 2
    assert "fold_3/checkpoint_final.pth does not exist: train the model" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
