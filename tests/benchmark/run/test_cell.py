"""The work on one cell, with fake steps; the last test of a grid has real ones."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mass_nnunet.benchmark.run import cell
from mass_nnunet.benchmark.run.entries import Method
from mass_nnunet.benchmark.run.job import Schedule
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.scoring import SCORED
from mass_nnunet.benchmark.run.state import read_record
from mass_nnunet.cli import main
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.scores import score_columns
from mass_nnunet.runtime import child
from mass_nnunet.runtime.process import identify
from planned_grid import write_planned
from tiny_group import CT, MRI, make_group, variables

HELD = SimpleNamespace(lost=False)
# Stands for the steps module: it notes its arguments, and leaves what the real one would.
FAKE = """
import json, os, sys, time
from pathlib import Path
step, arguments = sys.argv[1], json.loads(sys.argv[2])
folder = Path(arguments["cost"]).parent
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([step, arguments, os.environ["nnUNet_results"]]) + "\\n")
with (folder / "folders").open("a") as folders:
    folders.write(json.dumps([step, os.environ["nnUNet_raw"], os.environ["nnUNet_preprocessed"]]) + "\\n")
if (folder / "sleep").exists():
    time.sleep(60)
if (folder / "fail").exists():
    sys.exit("out of luck")
if step == "train":
    seconds, mri = 10.0 * len(arguments["datasets"]), arguments["datasets"] == ["Dataset802_MRS"]
    course = [[seconds / 4, 0.5], [seconds / 2, 0.4], [seconds, 0.9 if mri else 0.7]]
    cost = {"seconds": seconds, "validation": course, "device": "cpu" if mri else "a GPU", "iterations": 25}
    cost |= {"peak_memory_mb": 300.0, "peak_gpu_memory_mb": None}
elif step == "isolate":
    name = {801: "Dataset801_CTS", 802: "Dataset802_MRS"}[arguments["dataset"]]
    (Path(arguments["folder"]) / "preprocessed" / name).mkdir(parents=True)
    cost = {}
else:
    cost = {"seconds": 3.0, "scans": 2}
    rows = "case,patient,organ,dice\\n007,08,liver,0.5\\n007,08,spleen,\\n"
    Path(arguments["scores"]).write_text(rows)
Path(arguments["cost"]).write_text(json.dumps(cost))
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    jobs = make_jobs(write_planned(tmp_path, monkeypatch))
    for job in jobs:
        job.folder.mkdir(parents=True)
    start = child.start

    def pretend(command, output, environment):
        assert command[:3] == [sys.executable, "-m", "mass_nnunet.benchmark.run.steps"]
        return start([sys.executable, "-c", FAKE, *command[3:]], output, environment)

    monkeypatch.setattr(cell.child, "start", pretend)
    return jobs


def calls(job):
    file = job.folder / "calls"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_supervised_cell(jobs):
    job = jobs[0]
    cost = cell.do_cell(job, HELD)
    assert [(step, arguments.get("datasets") or arguments["dataset"]) for step, arguments, _ in calls(job)] == [
        ("train", [CT]),
        ("train", [MRI]),
        ("predict", 801),
        ("predict", 802),
    ]
    _, arguments, results = calls(job)[0]
    model = {"trainer": "SupervisedTrainer", "plans": "MASSPlans", "configuration": "3d_fullres"}
    assert arguments["model"] == model | {"fold": 0, "device": "cpu"}
    assert arguments["seed"] == 0
    assert results == str(job.grid.output / "models")
    assert calls(job)[2][1]["inference"] is None
    assert cost == {
        "inferences": ["segmentation"],
        "seconds": 26.0,
        "training_seconds": 20.0,
        "trained_on": "a GPU and cpu",
        "validation": [(5.0, 0.5), (20.0, pytest.approx(0.8))],
        "course": pytest.approx(np.array([[25, 5.0, 0.5], [50, 10.0, 0.4], [75, 20.0, 0.8]])),
        "prediction_seconds_per_scan": {"segmentation": {"CT": 1.5, "MRI": 1.5}},
        "peak_memory_mb": 300.0,
        "peak_gpu_memory_mb": None,
    }
    scores = pd.read_csv(job.folder / "scores.csv", dtype={"case": str, "patient": str})
    assert list(scores) == [*SCORED, "dice"]
    assert len(scores) == 4
    first = ["SupervisedTrainer", "CT", CT, 0.25, 0, "segmentation", "007", "08", "liver", 0.5]
    assert scores.iloc[0].tolist() == first
    assert scores["modality"].tolist() == ["CT", "CT", "MRI", "MRI"]


def test_what_is_done_of_a_cell_is_not_done_again(jobs):
    job = jobs[1]
    (job.folder / "fail").touch()
    with pytest.raises(cell.StepFailed, match="train_801_802 failed with exit status 1") as error:
        cell.do_cell(job, HELD)
    assert child.last_lines(error.value.log) == ["out of luck"]
    (job.folder / "fail").unlink()
    cell.do_cell(job, HELD)
    (job.folder / "predict_802_segmentation.json").unlink()
    cell.do_cell(job, HELD)
    steps = [step for step, _, _ in calls(job)]
    assert steps == ["train", "train", "predict", "predict", "predict"]
    assert calls(job)[2][1]["inference"] == "segmentation"


@pytest.fixture
def stock(jobs):
    """A cell of stock nnU-Net on the plans of the group."""
    name, job = "stock", jobs[0]
    grid = replace(job.grid, methods=(name,), variants=(Method(name, "nnUNetTrainer", "nnUNetPlans", "3d_fullres"),))
    job = replace(job, grid=grid, cell=grid.cells[0], schedule=Schedule(16, 25, 5))
    job.folder.mkdir()
    return job


def test_a_trainer_that_is_not_ours_sees_isolated_data_only(stock):
    cell.do_cell(stock, HELD)
    steps = [step for step, _, _ in calls(stock)]
    assert steps == ["isolate", "train", "isolate", "train", "predict", "predict"]
    folders = [json.loads(line) for line in (stock.folder / "folders").read_text().splitlines()]
    own = [str(stock.isolated / kind) for kind in ("raw", "preprocessed")]
    assert [rest == own for _, *rest in folders] == [step == "train" for step in steps]
    (_, isolated, _), (_, trained, results) = calls(stock)[:2]
    model = {"trainer": "nnUNetTrainer", "plans": "nnUNetPlans", "configuration": "3d_fullres"}
    assert isolated["model"] == trained["model"] == model | {"fold": 0, "device": "cpu"}
    assert isolated.items() >= {"dataset": 801, "folder": str(stock.isolated)}.items()
    assert trained["schedule"] == [16, 25, 5]
    assert results == str(stock.folder / "models")
    assert "schedule" not in calls(stock)[4][1]
    assert not stock.isolated.exists()


def test_data_are_isolated_again_only_where_they_are_missing(stock):
    (stock.folder / "isolate_801.json").write_text("{}")  # its folder was removed
    (stock.isolated / "preprocessed" / MRI).mkdir(parents=True)
    (stock.folder / "isolate_802.json").write_text("{}")
    cell.do_cell(stock, HELD)
    steps = [(step, arguments.get("dataset")) for step, arguments, _ in calls(stock)]
    assert steps[:3] == [("isolate", 801), ("train", None), ("train", None)]
    (stock.folder / "predict_802_segmentation.json").unlink()
    cell.do_cell(stock, HELD)  # the models are there: nothing has to be isolated
    assert len(calls(stock)) == len(steps) + 1


def test_a_long_course_is_thinned_and_keeps_its_end():
    validation = [[float(n), n / 1000] for n in range(1, 1001)]
    course = cell._course([{"iterations": 10, "validation": validation}])
    assert len(course) == 200
    assert course[-1] == [10000.0, 1000.0, 1.0]
    assert cell._course([{"validation": validation}]) == []
    other = [{"iterations": 10, "validation": validation}, {"iterations": 20, "validation": validation}]
    assert cell._course(other) == []


def test_step_is_stopped_when_the_cell_was_taken_over(jobs, monkeypatch):
    monkeypatch.setattr(cell, "_POLL", 0.1)
    (jobs[0].folder / "sleep").touch()
    with pytest.raises(cell.ClaimLost):
        cell.do_cell(jobs[0], SimpleNamespace(lost=True))
    with pytest.raises(ProcessLookupError):
        os.kill(json.loads((jobs[0].folder / "step.json").read_text())["pid"], 0)


def test_step_that_outlived_its_worker_is_ended_first(jobs, monkeypatch):
    monkeypatch.setattr(cell, "_PATIENCE", 0.1)
    job = jobs[0]
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (job.folder / "step.json").write_text(json.dumps(identify(orphan.pid)))
    cell.do_cell(job, HELD)
    assert orphan.wait(10) == -9


def test_process_that_may_be_another_is_not_killed(jobs, monkeypatch):
    monkeypatch.setattr(cell, "_PATIENCE", 0.1)
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (jobs[0].folder / "step.json").write_text(json.dumps(identify(orphan.pid) | {"born": "running"}))
    with pytest.raises(UserError, match=f"process {orphan.pid} may be a step of this cell: end it"):
        cell.do_cell(jobs[0], HELD)
    assert orphan.poll() is None
    orphan.kill()
    orphan.wait()
    cell.do_cell(jobs[0], HELD)


def test_step_of_another_machine_is_left_alone(jobs, monkeypatch):
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (jobs[0].folder / "step.json").write_text(json.dumps(identify(orphan.pid) | {"host": "elsewhere"}))
    cell.do_cell(jobs[0], HELD)
    assert orphan.poll() is None
    orphan.kill()
    orphan.wait()


def test_a_grid_with_one_real_cell(tmp_path, monkeypatch, capsys):
    make_group(tmp_path, 1, 1)
    for name, value in (variables(tmp_path) | {"OMP_NUM_THREADS": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("nnUNet_extTrainer")
    monkeypatch.delenv("nnUNet_results")
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "{datasets: [801, 802], methods: [MASSTrainer], label_rates: [0.25], seeds: [0], device: cpu, output: out}"
    )
    start = time.time()
    assert main(["benchmark", "run", str(grid)]) == 0, capsys.readouterr().err
    assert "1 cells: 1 done" in capsys.readouterr().out
    folder = tmp_path / "out" / "cells" / "MASSTrainer_0.25_0"
    record = read_record(folder)
    assert 0 < record["training_seconds"] < record["seconds"] < time.time() - start
    assert set(record["prediction_seconds_per_scan"]["segmentation"]) == {"CT", "MRI"}
    assert record["peak_memory_mb"] > 50
    scores = pd.read_csv(folder / "scores.csv")
    assert list(scores)[9:] == [column for column in score_columns() if column not in SCORED]
    assert scores.groupby("dataset").size().to_dict() == {CT: 4, MRI: 4}
    assert scores["dice"].between(0, 1).all()
    assert (folder / "predictions" / f"{MRI}_segmentation" / "mrtest.nii.gz").is_file()
    assert not (tmp_path / "results").exists()


def test_a_training_of_an_older_version_does_not_tell_its_device(jobs):
    job = jobs[1]
    cost = {"seconds": 10.0, "validation": [[10.0, 0.5]], "peak_memory_mb": None, "peak_gpu_memory_mb": None}
    (job.folder / "train_801_802.json").write_text(json.dumps(cost))
    assert cell.do_cell(job, HELD)["trained_on"] == "–"
    assert [step for step, _, _ in calls(job)] == ["predict", "predict"]
