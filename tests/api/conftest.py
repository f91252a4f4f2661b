"""Trained models for the tests of the Python interface, which needs no variable of nnU-Net."""

import pytest

from mass_nnunet.api import Model
from tiny_group import MODEL, MRI


@pytest.fixture(scope="session")
def model(trained):
    """MASSTrainer's MRI model."""
    return Model.load(trained / "results" / MRI / MODEL, device="cpu")


@pytest.fixture(scope="session")
def scan_file(trained):
    """The MRI of the test part."""
    return trained / "raw" / MRI / "imagesTs" / "mrtest_0000.nii.gz"
