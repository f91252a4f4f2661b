"""Cells of a grid without data, and work on them that only pretends, for tests of the benchmark's workers."""

import os
import time
from pathlib import Path

from mass_nnunet.benchmark.run.cell import StepFailed
from mass_nnunet.benchmark.run.grid import Grid
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.runtime.lock import Lock

COST = {
    "inferences": ["segmentation"],
    "seconds": 60.0,
    "training_seconds": 50.0,
    "prediction_seconds_per_scan": {"segmentation": {"CT": 1.0}},
    "peak_memory_mb": 100.0,
    "peak_gpu_memory_mb": None,
}


def fake_grid(output: Path, seeds: int = 3, methods: tuple[str, ...] = ("A", "B")) -> Grid:
    return Grid((801, 802), methods, (0.1, 0.5), tuple(range(seeds)), output, device="cpu")


def fake_jobs(grid: Grid) -> list[Job]:
    return [Job(grid, cell, 0, False, (), (), "digest") for cell in grid.cells]


def done(job: Job) -> list[str]:
    """Process ids of the workers that did the job, in order."""
    file = job.grid.output / f"{job.cell.name}.txt"
    return file.read_text().split() if file.exists() else []


def quick(job: Job, lock: Lock) -> dict:
    """Sign a list; wait where a file ``wait_CELL`` tells to, and fail as often as lines of ``fail_CELL`` say."""
    output = job.grid.output
    with (output / f"{job.cell.name}.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    fail = output / f"fail_{job.cell.name}"
    if fail.exists() and (times := int(fail.read_text())):
        fail.write_text(str(times - 1))
        log = job.folder / "train.log"
        log.write_text("first line\nout of luck\n")
        raise StepFailed("train failed with exit status 1", log)
    while (output / f"wait_{job.cell.name}").exists():
        time.sleep(0.05)
    time.sleep(0.05)
    return COST
