"""What experiments/quality.py refuses, and where it keeps what it has computed."""

import sys

import pandas as pd
import pytest

from scripts import load_script


@pytest.fixture(scope="module")
def quality():
    return load_script("quality")


def test_a_benchmark_with_more_than_one_cell_is_refused(quality, tmp_path):
    for cell in ("a", "b"):
        (tmp_path / "cells" / cell / "predictions" / "D_adapted").mkdir(parents=True)
        (tmp_path / "cells" / cell / "scores.csv").touch()
    with pytest.raises(SystemExit, match="has 2 cells"):
        quality.cells_of([tmp_path], "D")


def test_each_fold_has_its_own_cache(quality, tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(quality.RawDataset, "load", lambda number: None)
    monkeypatch.setattr(quality, "measure", lambda *args: used.append(args[-1]) or pd.DataFrame())
    monkeypatch.setattr(quality, "summary", lambda *args: {"MAE": 0})
    for fold in "01":
        words = ["quality.py", "bench", "-d", "1", "-f", fold, "--work", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", words)
        quality.main()
    assert used == [tmp_path / "fold_0", tmp_path / "fold_1"]
