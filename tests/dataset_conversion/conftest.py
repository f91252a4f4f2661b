"""nnU-Net's folders for the tests of conversions."""

import pytest


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """The empty folder of raw datasets."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path / "nnUNet_raw"
