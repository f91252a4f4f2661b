"""The trained model's folders, for the tests of figures and pages."""

import pytest

from tiny_group import use_folders


@pytest.fixture
def root(trained, monkeypatch):
    """The root of a trained model, with nnU-Net's variables."""
    use_folders(monkeypatch, trained)
    return trained
