"""A pair of split raw datasets for the tests of annotation."""

import pytest

from exported_scans import HIDDEN, correct, export, write_pair
from tiny_group import CT, MRI, copied, entry, use_folders


@pytest.fixture(scope="session")
def made_pair(tmp_path_factory):
    """The datasets of :func:`exported_scans.write_pair`, which no test changes."""
    root = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        write_pair(root)
    return root


@pytest.fixture
def pair(made_pair, tmp_path, monkeypatch):
    """A copy of them, as nnU-Net's folders."""
    return copied(made_pair, tmp_path / "group", monkeypatch)


@pytest.fixture
def folder(pair, tmp_path):
    """A scan of each kind, corrected: without a label, and with a hidden one; and one of the other modality."""
    assert HIDDEN in entry(pair, CT)["unlabelled"]
    folder = export(tmp_path / "out", (CT, "ctun"), (CT, HIDDEN), (MRI, "mrun"))
    for name, case in ((CT, "ctun"), (CT, HIDDEN), (MRI, "mrun")):
        correct(folder, name, case)
    return folder
