"""The results of a grid: the scores of its cells as one table, and the state and record of each cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mass_nnunet.benchmark.run.grid import Cell, Grid
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.benchmark.run.scoring import SCORED, SCORES
from mass_nnunet.benchmark.run.state import DONE, WAITING, is_outdated, read_record, state
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.metrics import DICE, metrics_among
from mass_nnunet.hyperparameters import INFERENCES

ALL_ORGANS = "all organs"
"""Stands for an organ in the rows of means over all organs."""


@dataclass(frozen=True)
class Results:
    """The results of a grid, made by :func:`load_results`."""

    grid: Grid
    scores: pd.DataFrame
    """Scores of the finished cells. Column ``trainer`` is the grid's method. Column ``method`` adds the inference in
    brackets, except for a trainer that predicted only by the segmentation head."""
    states: dict[Cell, str]
    records: dict[Cell, dict[str, Any]]
    """Content of ``cell.json``; empty for a cell that never started."""

    @property
    def methods(self) -> list[str]:
        """Methods with scores, in the grid's order."""
        pairs = self.scores[["trainer", "inference", "method"]].drop_duplicates()
        order = [self.grid.rows.index(trainer) for trainer in pairs["trainer"]]
        keys = [*zip(order, map(INFERENCES.index, pairs["inference"]), strict=True)]
        return [method for _, method in sorted(zip(keys, pairs["method"], strict=True))]

    @property
    def trainers(self) -> dict[str, str]:
        """The trainer of each method, in the order of the methods."""
        known = self.scores.drop_duplicates("method").set_index("method")["trainer"]
        return {method: known[method] for method in self.methods}

    @property
    def organs(self) -> list[str]:
        """Organs in the order of the scores."""
        return list(dict.fromkeys(self.scores["organ"]))

    @property
    def measures(self) -> list[str]:
        """Columns of the scores that are metrics, Dice first."""
        return [metric.column for metric in metrics_among(self.scores.columns)]

    @property
    def settings(self) -> list[tuple[str, float]]:
        """Pairs of modality and label rate that have scores."""
        return list(self.scores.groupby(["modality", "label_rate"], sort=True).groups)

    @property
    def done(self) -> list[Cell]:
        """Finished cells, in the grid's order."""
        return [cell for cell, its_state in self.states.items() if its_state == DONE]

    def of(self, modality: str, label_rate: float) -> pd.DataFrame:
        """The scores of one setting."""
        return self.scores[(self.scores["modality"] == modality) & (self.scores["label_rate"] == label_rate)]


def load_results(grid: Grid, jobs: Sequence[Job] = ()) -> Results:
    """Read the scores of the finished cells, and the state and record of each cell.

    Args:
        grid: the grid.
        jobs: its jobs, if they are known: a cell whose predictions have changed since they were scored is not finished.

    Raises:
        UserError: no cell is finished, or scores cannot be read.
    """
    folders = {cell: grid.output / "cells" / cell.name for cell in grid.cells}
    states = {cell: state(folder) for cell, folder in folders.items()}
    states |= {job.cell: WAITING for job in jobs if is_outdated(job.folder, job.inputs)}
    tables = [_read(folders[cell] / SCORES) for cell, its_state in states.items() if its_state == DONE]
    if not tables:
        raise UserError(f"{grid.output} has no cell that is done: run the grid first with `mass_nnunet benchmark run`")
    scores = pd.concat(tables, ignore_index=True)
    scores["trainer"] = scores["method"]
    is_plain = scores.groupby("trainer")["inference"].transform(lambda names: names.eq(INFERENCES[0]).all())
    scores["method"] = scores["method"].where(is_plain, scores["method"] + " (" + scores["inference"] + ")")
    return Results(grid, scores, states, {cell: read_record(folder) for cell, folder in folders.items()})


def _read(file: Path) -> pd.DataFrame:
    remedy = f"remove {file.parent} and run the grid again"
    try:
        scores = pd.read_csv(file, dtype={"case": str, "patient": str, "modality": str, "organ": str})
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({' '.join(str(error).split())}): {remedy}") from None
    if absent := [column for column in (*SCORED, DICE.column) if column not in scores]:
        raise UserError(f"{file} has no column {absent[0]}: {remedy}")
    return scores
