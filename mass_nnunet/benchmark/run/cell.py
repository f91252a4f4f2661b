"""The work on one cell: train, predict the test scans, score them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import psutil

from mass_nnunet.data.files import atomic_path, read_json, write_json
from mass_nnunet.errors import UserError
from mass_nnunet.runtime import child
from mass_nnunet.runtime.env import HOOK_FOLDER
from mass_nnunet.runtime.process import identify, is_certain, is_here, runs

from .job import Job, Tested

SCORES = "scores.csv"
SCORED = ("method", "modality", "dataset", "label_rate", "seed", "inference", "case", "patient", "organ")
"""Columns that identify a row of the scores; all other columns are values."""
_POLL = 1.0  # seconds
_PATIENCE = 20.0  # seconds in which the step of a killed worker can end by itself


class Claim(Protocol):
    """The lock of the cell's folder."""

    @property
    def lost(self) -> bool:
        """Whether another worker took the lock over."""


class ClaimLost(Exception):
    """Another worker took the cell over."""


class StepFailed(Exception):
    """A step ended with an exit status other than 0; ``log`` is its log."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log


def do_cell(job: Job, claim: Claim) -> dict[str, Any]:
    """Do the unfinished steps of a cell, and write its ``scores.csv``.

    Returns:
        The cost, for ``cell.json``, without the time of interrupted attempts that contributed nothing.

    Raises:
        StepFailed: a training or a prediction failed.
        ClaimLost: another worker took the cell over; the running step is stopped.
    """
    trained = [_train(job, claim, [dataset.name for dataset in datasets]) for datasets in job.trainings]
    tables, predicting = [], 0.0
    per_scan: dict[str, dict[str, float]] = {}
    for inference in job.inferences:
        for tested in job.tested:
            table, cost = _predict(job, claim, tested, inference)
            tables.append(table)
            predicting += cost["seconds"]
            per_scan.setdefault(inference, {})[tested.modality] = cost["seconds"] / cost["scans"]
    scores = pd.concat(tables, ignore_index=True)
    measures = [column for column in scores.columns if column not in SCORED]
    with atomic_path(job.folder / SCORES) as temporary:
        scores[[*SCORED, *measures]].to_csv(temporary, index=False)
    training = sum(cost["seconds"] for cost in trained)
    return {
        "inferences": list(job.inferences),
        "seconds": training + predicting,
        "training_seconds": training,
        # Trainings of older versions have no device.
        "trained_on": " and ".join(sorted({cost.get("device", "–") for cost in trained})),
        "validation": _records([cost["validation"] for cost in trained]),
        "prediction_seconds_per_scan": per_scan,
        **{
            key: max((cost[key] for cost in trained if cost[key] is not None), default=None)
            for key in ("peak_memory_mb", "peak_gpu_memory_mb")
        },
    }


def _records(courses: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Seconds and validation Dice of the epochs with a higher Dice than all earlier epochs.

    Several trainings count as one: epoch by epoch, their seconds are added and their Dice is averaged.
    """
    records: list[tuple[float, float]] = []
    for epoch in zip(*courses, strict=True):
        seconds, dice = (sum(values) for values in zip(*epoch, strict=True))
        if dice / len(epoch) > max((best for _, best in records), default=0):
            records.append((seconds, dice / len(epoch)))
    return records


def _train(job: Job, claim: Claim, datasets: list[str]) -> dict[str, Any]:
    name = f"train_{'_'.join(dataset[7:10] for dataset in datasets)}"
    arguments = {**_model(job), "datasets": datasets, "seed": job.cell.seed}
    return _run(job, claim, "train", name, arguments)


def _predict(job: Job, claim: Claim, tested: Tested, inference: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    name = f"predict_{tested.dataset.id}_{inference}"
    scores = job.folder / f"{name}.csv"
    arguments = {
        **_model(job),
        "dataset": tested.dataset.id,
        "inference": inference if job.choices else None,
        "predictions": str(job.predictions(tested, inference)),
        "scores": str(scores),
    }
    cost = _run(job, claim, "predict", name, arguments)
    setting = {
        "method": job.cell.method,
        "modality": tested.modality,
        "dataset": tested.dataset.name,
        "label_rate": job.cell.label_rate,
        "seed": job.cell.seed,
        "inference": inference,
    }
    return pd.read_csv(scores, dtype={"case": str, "patient": str}).assign(**setting), cost


def _model(job: Job) -> dict[str, Any]:
    grid = job.grid
    return {
        "trainer": job.cell.method,
        "plans": grid.plans,
        "configuration": grid.configuration,
        "fold": job.fold,
        "device": grid.device,
    }


def step_environment(job: Job) -> dict[str, str]:
    """Environment variables of the steps: nnU-Net's, with the grid's own results folder."""
    hook = {"nnUNet_extTrainer": str(HOOK_FOLDER)}
    return {**hook, **os.environ, "nnUNet_results": str(job.grid.models), "PYTHONUNBUFFERED": "1"}


def _run(job: Job, claim: Claim, step: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a step unless it is done, and return its cost."""
    cost, log = job.folder / f"{name}.json", job.folder / f"{name}.log"
    if not cost.exists():
        command = [sys.executable, "-m", f"{__package__}.steps", step, json.dumps({**arguments, "cost": str(cost)})]
        _end_orphan(job.folder)
        with log.open("ab") as output:
            process = child.start(command, output, step_environment(job))
            try:
                write_json(_child_file(job.folder), identify(process.pid))
                status = _wait(process, claim)
            except BaseException:
                child.stop(process)
                raise
        if status != 0:
            raise StepFailed(f"{name} {child.how_it_ended(status)}", log)
    return read_json(cost, f"remove {job.folder}")


def _wait(process: subprocess.Popen, claim: Claim) -> int:
    while True:
        try:
            return process.wait(_POLL)
        except subprocess.TimeoutExpired:
            if claim.lost:
                raise ClaimLost from None


def _child_file(folder: Path) -> Path:
    return folder / "step.json"


def _end_orphan(folder: Path) -> None:
    """Wait until the step of a killed worker has ended on this machine; otherwise two steps would write one file.

    Raises:
        UserError: the step may still run, but its record, of an older version, could also match a later process.
    """
    file = _child_file(folder)
    if not file.exists():
        return
    orphan = read_json(file, "remove it")
    end = time.monotonic() + _PATIENCE
    while is_here(orphan) and runs(orphan):
        if time.monotonic() > end:
            if not is_certain(orphan):
                known = f"process {orphan['pid']} may be a step of this cell"
                raise UserError(f"{file}: {known}: end it, or remove the file")
            psutil.Process(orphan["pid"]).kill()
        time.sleep(0.1)
