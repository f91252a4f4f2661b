"""experiments/quality_load.py begins anew in a folder that it has used, and judges as many predictions as it says."""

import os
import sys
from pathlib import Path
from unittest import mock

import pytest

from mass_nnunet.quality import grid
from scripts import EXPERIMENTS, load_script


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    with mock.patch.dict(os.environ), mock.patch.object(sys, "path", [*sys.path]):  # load.py changes them
        yield load_script("quality_load")
    sys.modules.pop("load", None)


def test_a_second_run_begins_anew(script, tmp_path, monkeypatch, capsys):
    seen = []

    def measured(root, action, into):
        (words,) = action.args
        _, predictions, _, images, *options = words
        files = [sorted(file.name for file in Path(folder).iterdir()) for folder in (predictions, images)]
        seen.append((action.func, files, options[-1]))
        return 12.0, 34.0

    monkeypatch.setattr(script, "measured", measured)
    monkeypatch.setattr(sys, "argv", ["quality_load.py", str(tmp_path), "--scans", "1", "3"])
    for _ in range(2):
        script.main()
    assert seen[:2] == seen[2:]
    for count, (function, (predictions, images), pictures) in zip((1, 3), seen, strict=False):
        assert function is script.judge
        assert predictions == [f"scan{number:04d}.nii.gz" for number in range(count)]
        assert images == [f"scan{number:04d}_0000.nii.gz" for number in range(count)]
        assert pictures == "5"
    assert capsys.readouterr().out == "1 scans: 12 s, 34 MB\n3 scans: 12 s, 34 MB\n" * 2


def test_the_command_runs_on_a_coarse_grid_and_leaves_it(script, monkeypatch):
    before, edges = grid.EDGES, []
    monkeypatch.setattr(script, "mass_nnunet", lambda words: edges.append((words, grid.EDGES)) or 0)
    assert script.judge(["quality"]) == 0
    assert edges == [(["quality"], (10.0, 10.0))]
    assert before == grid.EDGES
