"""A training that is refused in one line, and the files that it leaves as they are."""

from pathlib import Path

import pytest

from tiny_group import trainer

ARRAYS = "MASSPlans_3d_fullres"
"""Folder of nnU-Net's preprocessed scans of the tiny group."""


def files(root: Path) -> set[Path]:
    return {path for kind in ("preprocessed", "results") for path in (root / kind).rglob("*")}


def refused(root: Path, name: str, dataset: str = "801", fold: int = 0) -> str:
    """The line in which a training is refused, which writes nothing."""
    before = files(root)
    with pytest.raises(SystemExit) as ended:
        trainer(name, dataset, fold)
    line = str(ended.value.code)
    assert line.startswith("error: ") and "\n" not in line
    assert files(root) == before
    return line
