"""What experiments/quality.py refuses, and where it keeps what it has computed."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest

_FILE = Path(__file__).parents[2] / "experiments" / "quality.py"


@pytest.fixture(scope="module")
def quality():
    spec = importlib.util.spec_from_file_location("quality_experiment", _FILE)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FILE.parent))
        spec.loader.exec_module(module)
    return module


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
