"""What experiments/quality.py refuses, and where it keeps what it has computed."""

import sys

import pandas as pd
import pytest

from scripts import EXPERIMENTS, load_script


@pytest.fixture(scope="module")
def quality():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXPERIMENTS))
        return load_script("quality")


def test_a_benchmark_with_more_than_one_cell_is_refused(quality, tmp_path):
    for cell in ("a", "b"):
        (tmp_path / "cells" / cell / "predictions" / "D_adapted").mkdir(parents=True)
        (tmp_path / "cells" / cell / "scores.csv").touch()
    with pytest.raises(SystemExit, match="has 2 cells"):
        quality.cells_of([tmp_path], "D")


def test_what_was_computed_is_kept(quality, tmp_path):
    calls = []
    for _ in range(2):
        assert quality.kept(tmp_path / "one.pkl", lambda: calls.append(1) or "found") == "found"
    assert calls == [1]


def test_a_summary_of_distances_leaves_missed_organs_out(quality):
    table = pd.DataFrame({"organ": ["a", "a", "b", "b"], "hd95": [5.0, 15.0, 20.0, float("inf")]})
    table["near"], table["near low"], table["near high"] = [5.0, 20.0, 20.0, 9.0], 0.0, 10.0
    found = quality.summary_of_distances(table, "near")
    assert found["organs"] == 3
    assert found["MAE"] == pytest.approx(5 / 3, abs=1e-3)
    assert found["held"] == pytest.approx(1 / 3, abs=0.01)


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
