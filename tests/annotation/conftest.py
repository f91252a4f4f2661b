"""A pair of split raw datasets for the tests of annotation."""

import pytest

from exported_scans import write_pair
from tiny_group import variables


@pytest.fixture(scope="session")
def made_pair(tmp_path_factory):
    """The datasets of :func:`exported_scans.write_pair`, which no test changes."""
    root = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables(root).items():
            patch.setenv(variable, value)
        write_pair(root)
    return root


@pytest.fixture
def pair(made_pair, tmp_path, monkeypatch):
    """A copy of them, as nnU-Net's folders."""
    import shutil

    shutil.copytree(made_pair, tmp_path / "group")
    for variable, value in variables(tmp_path / "group").items():
        monkeypatch.setenv(variable, value)
    return tmp_path / "group"
