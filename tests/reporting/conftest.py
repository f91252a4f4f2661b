"""A trained model for the tests of figures and pages."""

import pytest

from tiny_group import make_group, trainer, variables


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model that has hardly learned anything, with its data: the root of nnU-Net's folders."""
    root = tmp_path_factory.mktemp("visualize")
    make_group(root)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables(root).items():
            patch.setenv(variable, value)
        mass = trainer("MASSTrainer")
        mass.num_epochs = 1
        mass.run_training()
    return root


@pytest.fixture
def root(trained, monkeypatch):
    """The same, with nnU-Net's variables."""
    for variable, value in variables(trained).items():
        monkeypatch.setenv(variable, value)
    return trained
