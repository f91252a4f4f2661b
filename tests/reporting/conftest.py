"""The trained model's folders, for the tests of figures and pages."""

import pytest

from tiny_group import variables


@pytest.fixture
def root(trained, monkeypatch):
    """The root of a trained model, with nnU-Net's variables."""
    for variable, value in variables(trained).items():
        monkeypatch.setenv(variable, value)
    return trained
