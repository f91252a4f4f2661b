import subprocess
import sys

import pytest

from mass_nnunet.demo import progress
from mass_nnunet.demo.steps import Step

EPOCH = """\
2026-01-01 00:00:00: Epoch {0}
2026-01-01 00:00:00: Current learning rate: 0.01
2026-01-01 00:00:09: Pseudo dice [np.float32(0.25), np.float64(0.75)]
2026-01-01 00:00:09: Epoch time: 9.0 s
"""


@pytest.mark.parametrize(
    ("log", "done"),
    [
        ("", 0),
        ("2026-01-01 00:00:00: Epoch 0 \n", 0),
        (EPOCH.format(0), 1),
        (EPOCH.format(0) + "2026-01-01 00:00:00: Epoch 1\n", 1),
        # It was interrupted in epoch 1, and went on from a checkpoint.
        (EPOCH.format(0) + EPOCH.format(1) + "Epoch 2\n" + EPOCH.format(1), 2),
    ],
)
def test_epochs_that_are_over(log, done):
    assert progress.epochs_done(log) == done


def test_dice_of_the_last_epoch_however_numpy_prints_it():
    assert progress.patch_dice("") == ""
    assert progress.patch_dice(EPOCH.format(0) + "x: Pseudo dice [0.5, np.float32(0.7)]\n") == "Dice of patches 0.60"


@pytest.fixture
def process():
    return subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(0.1); raise SystemExit(3)"])


def test_a_benchmark_shows_its_cell_and_the_epochs_of_all_trainings(process, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "POLL", 0.01)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for cell, name in (("A_0.5_0", "train_801"), ("A_0.5_0", "train_802"), ("B_0.5_0", "train_801_802")):
        (tmp_path / cell).mkdir(exist_ok=True)
        (tmp_path / cell / f"{name}.log").write_text(EPOCH.format(0))
    status = progress.watch(process, Step("benchmark_run", (), epochs=6, cells=tmp_path), "[6/7]")
    shown = capsys.readouterr().err
    assert status == 3
    assert "[6/7] B train_801_802" in shown and "3/6" in shown and "Dice of patches 0.50" in shown


def test_a_benchmark_that_has_no_log_yet(process, tmp_path, capsys):
    assert progress.watch(process, Step("benchmark_run", (), epochs=6, cells=tmp_path / "cells"), "[6/7]") == 3
    assert "0/6" in capsys.readouterr().err


def test_another_step_shows_the_time_on_a_terminal_alone(process, capsys, monkeypatch):
    assert progress.watch(process, Step("plan", ()), "[5/7]") == 3
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert progress.watch(process, Step("plan", ()), "[5/7]") == 3
    assert "[5/7] plan 00:00" in capsys.readouterr().err
