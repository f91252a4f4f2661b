"""The work on one cell: train, predict the test scans, score them."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import psutil

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import data_folders_in
from mass_nnunet.errors import UserError
from mass_nnunet.runtime import child
from mass_nnunet.runtime.env import EXTERNAL_TRAINERS, trainer_folders
from mass_nnunet.runtime.process import identify, is_certain, is_here, runs

from .external import score_external
from .job import Job, Tested
from .scoring import of_cell, write_scores
from .tested import keep_tested

_POLL = 1.0  # seconds
_POINTS = 200
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

    For the predictions of another tool there is nothing to do but to score them.

    Returns:
        The cost, for ``cell.json``, without the time of interrupted attempts that contributed nothing.

    Raises:
        StepFailed: a training or a prediction failed.
        ClaimLost: another worker took the cell over; the running step is stopped.
        UserError: the predictions of another tool are wrong (:func:`score_external`), or the test scans have changed.
    """
    if job.external is not None:
        return score_external(job)
    trained = [_train(job, claim, [dataset.name for dataset in datasets]) for datasets in job.trainings]
    keep_tested(job.grid.output, job.tested)
    tables, predicting = [], 0.0
    per_scan: dict[str, dict[str, float]] = {}
    for inference in job.inferences:
        for tested in job.tested:
            table, cost = _predict(job, claim, tested, inference)
            tables.append(table)
            predicting += cost["seconds"]
            per_scan.setdefault(inference, {})[tested.modality] = cost["seconds"] / cost["scans"]
    write_scores(job.folder, tables)
    shutil.rmtree(job.isolated, ignore_errors=True)
    training = sum(cost["seconds"] for cost in trained)
    return {
        "inferences": list(job.inferences),
        "seconds": training + predicting,
        "training_seconds": training,
        # Trainings of older versions have no device.
        "trained_on": " and ".join(sorted({cost.get("device", "–") for cost in trained})),
        "validation": _records([cost["validation"] for cost in trained]),
        "course": _course(trained),
        "prediction_seconds_per_scan": per_scan,
        **{
            key: max((cost[key] for cost in trained if cost[key] is not None), default=None)
            for key in ("peak_memory_mb", "peak_gpu_memory_mb")
        },
    }


def _course(trained: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Steps, seconds and validation Dice at the end of the epochs, at most ``_POINTS`` of them.

    Several trainings count as one, as in :func:`_records`, of as many steps as each of them has. Trainings of older
    versions do not tell their steps: then it is empty.
    """
    iterations = {cost.get("iterations") for cost in trained}
    if iterations == {None} or len(iterations) > 1:
        return []
    courses = np.array([cost["validation"] for cost in trained], dtype=float)  # (trainings, epochs, 2)
    steps = np.arange(1, courses.shape[1] + 1) * iterations.pop()
    course = np.column_stack([steps, courses[..., 0].sum(axis=0), courses[..., 1].mean(axis=0)])
    every = -(-len(course) // _POINTS)
    return course[::-1][::every][::-1].tolist()  # the last epoch is among them


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
    arguments = {"datasets": datasets, "seed": job.cell.seed}
    if job.schedule is None:
        return _run(job, claim, "train", name, arguments)
    (dataset,) = datasets
    if not _cost_file(job, name).exists():
        _isolate(job, claim, dataset)
    return _run(job, claim, "train", name, {**arguments, "schedule": job.schedule}, data_folders_in(job.isolated))


def _isolate(job: Job, claim: Claim, dataset: str) -> None:
    """Make the data of a trainer that is not of this package, unless they are there."""
    name = f"isolate_{dataset[7:10]}"
    if not (job.isolated / "preprocessed" / dataset).is_dir():
        _cost_file(job, name).unlink(missing_ok=True)
    _run(job, claim, "isolate", name, {"dataset": int(dataset[7:10]), "folder": str(job.isolated)})


def _predict(job: Job, claim: Claim, tested: Tested, inference: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    name = f"predict_{tested.dataset.id}_{inference}"
    scores = job.folder / f"{name}.csv"
    arguments = {
        "dataset": tested.dataset.id,
        "inference": inference if job.choices else None,
        "predictions": str(job.predictions(tested, inference)),
        "scores": str(scores),
    }
    cost = _run(job, claim, "predict", name, arguments)
    return of_cell(job, tested, inference, pd.read_csv(scores, dtype={"case": str, "patient": str})), cost


def step_environment(job: Job) -> dict[str, str]:
    """Environment variables of the steps: nnU-Net's, with the grid's own results folder."""
    own = {EXTERNAL_TRAINERS: trainer_folders(), "nnUNet_results": str(job.models), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own}


def _cost_file(job: Job, name: str) -> Path:
    return job.folder / f"{name}.json"


def _run(
    job: Job, claim: Claim, step: str, name: str, arguments: dict[str, Any], folders: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a step unless it is done, and return its cost.

    Args:
        job: the job.
        claim: the lock of the cell.
        step: name of the step, a key of :data:`steps.STEPS`.
        name: of its files.
        arguments: those of the step, besides the model and the file of the cost.
        folders: other folders of nnU-Net than the user's, by variable.
    """
    cost, log = _cost_file(job, name), job.folder / f"{name}.log"
    if not cost.exists():
        text = json.dumps({"model": asdict(job.model), **arguments, "cost": str(cost)})
        command = [sys.executable, "-m", f"{__package__}.steps", step, text]
        _end_orphan(job.folder)
        with log.open("ab") as output:
            process = child.start(command, output, {**step_environment(job), **(folders or {})})
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
