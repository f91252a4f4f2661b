"""What a model says of its own certainty, and its proposal."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.annotation.certainty import Certainty, assess, propose
from mass_nnunet.api import Model
from mass_nnunet.data.volume import SAME_GRID, grid_distance, read_volume
from mass_nnunet.labels import LABELS
from tiny_group import MODEL, MRI


@pytest.fixture(scope="module")
def model(trained):
    return Model.load(trained / "results" / MRI / MODEL, device="cpu")


@pytest.fixture(scope="module")
def file(trained):
    return trained / "raw" / MRI / "imagesUn" / "mrun_0000.nii.gz"


def test_uncertainty_is_the_mean_of_what_is_not_expected():
    found = Certainty({"spleen": 0.5, "liver": 0.9, "left_kidney": 0.0})
    assert found.uncertainty == pytest.approx(1 - 1.4 / 3)
    assert found.missing == ["left_kidney"]
    assert found.least == "spleen"
    assert Certainty({"liver": 0.0}).least is None


def test_a_scan_is_assessed_by_organ(model, file):
    found = assess(model, [file])
    assert list(found.dice) == [name for name in LABELS if name != "background"]
    assert all(0 <= dice <= 1 for dice in found.dice.values())
    # What is expected is that of the mean of head and fused: surer than neither, and absent where the mean is.
    parts = model.uncertainty([read_volume(file)], branches=["segmentation", "fused"])
    present = {name for name, value in LABELS.items() if (parts.probabilities.argmax(0) == value).any()}
    assert set(found.missing) == set(found.dice) - present
    quick = assess(model, [file], quick=True)
    expected = model.uncertainty(read_volume(file), branches=["segmentation"])
    assert [dice for dice in quick.dice.values() if dice] == pytest.approx(
        [d for d, name in zip(expected.expected_dice, quick.dice, strict=True) if name not in quick.missing]
    )


def test_a_proposal_is_on_the_grid_of_the_scan_and_that_of_the_model(model, file):
    image, proposal = read_volume(file), propose(model, [file])
    assert grid_distance(image, proposal) <= SAME_GRID
    assert set(np.unique(sitk.GetArrayFromImage(proposal))) == set(np.unique(model.segment(image).labels))
