"""The scores of several grids that differ in their test patients, as the cells of one grid."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mass_nnunet.benchmark.run.grid import Cell, Grid, save_grid
from mass_nnunet.benchmark.run.scoring import SCORES
from mass_nnunet.benchmark.run.state import DONE, read_record, write_record
from mass_nnunet.data.files import atomic_path
from mass_nnunet.errors import UserError

_MEANS = ("seconds", "training_seconds")
_PEAKS = ("peak_memory_mb", "peak_gpu_memory_mb")
_PER_SCAN = "prediction_seconds_per_scan"


def pool(grids: Sequence[Grid], output: Path) -> Grid:
    """Write the pooled grid with its cells; a cell has the scores of all draws in which it is done.

    Args:
        grids: grids with the same cells, on datasets with other test patients: a draw each.
        output: output folder of the pooled grid, for `mass_nnunet benchmark report`.

    Raises:
        UserError: a patient is tested in two draws.
    """
    first = grids[0]
    datasets = tuple(number for grid in grids for number in grid.datasets)
    note = f"{len(grids)} draws, each tested on other patients: every scan counts once."
    pooled = replace(first, datasets=datasets, output=output, note=note)
    save_grid(pooled)
    for cell in first.cells:
        folders = [grid.output / "cells" / cell.name for grid in grids]
        done = [folder for folder in folders if read_record(folder).get("state") == DONE]
        if done:
            _pool_cell(cell, done, output / "cells" / cell.name)
    return pooled


def _pool_cell(cell: Cell, folders: Sequence[Path], target: Path) -> None:
    scores = pd.concat(
        [pd.read_csv(folder / SCORES, dtype={"case": str, "patient": str}) for folder in folders], ignore_index=True
    )
    tested = scores.drop_duplicates(["modality", "dataset", "patient"])
    if (twice := tested.duplicated(["modality", "patient"])).any():
        raise UserError(f"{cell.title}: patient {tested[twice].iloc[0]['patient']} is tested in two draws")
    with atomic_path(target / SCORES) as temporary:
        scores.to_csv(temporary, index=False)
    records = [read_record(folder) for folder in folders]
    first = {key: value for key, value in records[0].items() if key != "validation"}
    write_record(target, {**first, **_costs(records)})


def _costs(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean cost of a training and a prediction, and the highest memory; the course is of the epochs that all have.

    The best epochs of several trainings have no mean, so there is no ``validation``.
    """
    costs: dict[str, Any] = {
        key: float(np.mean([record[key] for record in records])) for key in _MEANS if key in records[0]
    }
    courses = [record.get("course", []) for record in records]
    length = min(map(len, courses))
    costs["course"] = np.mean([course[:length] for course in courses], axis=0).tolist() if length else []
    costs["trained_on"] = _joined(record.get("trained_on", "–") for record in records)
    if hosts := [record["host"] for record in records if "host" in record]:
        costs["host"] = _joined(hosts)
    if versions := [record["versions"] for record in records if "versions" in record]:
        names = dict.fromkeys(name for one in versions for name in one)
        costs["versions"] = {name: _joined(one.get(name, "–") for one in versions) for name in names}
    for key in _PEAKS:
        costs[key] = max((record[key] for record in records if record.get(key) is not None), default=None)
    if times := [record[_PER_SCAN] for record in records if _PER_SCAN in record]:
        costs[_PER_SCAN] = {
            inference: {name: float(np.mean([time[inference][name] for time in times])) for name in its}
            for inference, its in times[0].items()
        }
    costs["start"] = min(record["start"] for record in records)
    costs["end"] = max(record["end"] for record in records)
    return costs


def _joined(texts: Iterable[str]) -> str:
    return " and ".join(sorted(set(texts)))
