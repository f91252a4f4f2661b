"""A grid whose cells are done without any work: its scores are random, for tests of the report."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from mass_nnunet.benchmark.run.grid import Cell, Grid, save_grid
from mass_nnunet.benchmark.run.scoring import SCORES
from mass_nnunet.benchmark.run.state import read_record, write_record
from mass_nnunet.labels import ORGANS

VERSIONS = {"Python": "3.12.0", "torch": "2.9.9"}


def write_scored(
    output: Path,
    methods: tuple[str, ...] = ("A", "B", "C"),
    rates: tuple[float, ...] = (0.1, 0.5),
    seeds: int = 2,
    patients: int = 8,
    modalities: tuple[str, ...] = ("CT", "MRI"),
    organs: tuple[str, ...] = ORGANS,
) -> Grid:
    """Write the grid and all cells; later methods are better."""
    datasets = tuple(range(801, 801 + len(modalities)))
    grid = Grid(datasets, methods, rates, tuple(range(seeds)), output, device="cpu")
    save_grid(grid)
    for cell in grid.cells:
        write_cell(grid, cell, make_scores(grid, cell, patients, modalities, organs))
    return grid


def change_record(grid: Grid, number: int, **changes: object) -> None:
    """Change entries of the record of a cell."""
    folder = grid.output / "cells" / grid.cells[number].name
    write_record(folder, read_record(folder) | changes)


def write_cell(grid: Grid, cell: Cell, scores: pd.DataFrame, **changes: object) -> None:
    """Write the scores and the record of a cell that is done."""
    folder = grid.output / "cells" / cell.name
    folder.mkdir(parents=True, exist_ok=True)
    scores.to_csv(folder / SCORES, index=False)
    record = {
        "state": "done",
        "method": cell.method,
        "label_rate": cell.label_rate,
        "seed": cell.seed,
        "fold": 0,
        "inputs": "digest",
        "attempts": 1,
        "failures": 0,
        "start": 1e9,
        "end": 1e9 + 100,
        "host": "box",
        "pid": 1,
        "versions": VERSIONS,
        "inferences": ["segmentation"],
        "seconds": 700.0,
        "training_seconds": 660.0 + 60 * cell.seed,
        "validation": [[330.0, 0.5], [500.0, 0.7], [600.0, 0.75 + 0.1 * cell.seed]],
        "course": [[25, 330.0, 0.5], [50, 500.0, 0.7], [75, 600.0, 0.75 + 0.1 * cell.seed], [100, 660.0, 0.74]],
        "prediction_seconds_per_scan": {"segmentation": dict.fromkeys(scores["modality"].unique(), 1.5)},
        "peak_memory_mb": 2048.0,
        "peak_gpu_memory_mb": None,
    }
    write_record(folder, record | changes)


def make_scores(
    grid: Grid, cell: Cell, patients: int, modalities: tuple[str, ...], organs: tuple[str, ...]
) -> pd.DataFrame:
    """Rows of scores as the benchmark writes them; a patient is equally hard for all methods."""
    place = grid.methods.index(cell.method)
    rows = []
    for number, modality in zip(grid.datasets, modalities, strict=True):
        hard = np.random.default_rng(number).uniform(0, 0.2, patients)
        noise = np.random.default_rng([number, place, cell.seed, round(1000 * cell.label_rate)])
        for patient in range(patients):
            for organ in organs:
                dice = 0.7 + 0.02 * place + 0.1 * cell.label_rate - hard[patient] + noise.normal(0, 0.01)
                distance = 20 * (1 - dice)
                rows.append(
                    {
                        "method": cell.method,
                        "modality": modality,
                        "dataset": f"Dataset{number}_{modality}",
                        "label_rate": cell.label_rate,
                        "seed": cell.seed,
                        "inference": "segmentation",
                        "case": f"{modality.lower()}_{patient:04}",
                        "patient": f"{modality} {patient}",
                        "organ": organ,
                        "dice": dice,
                        "hd": 3 * distance,
                        "hd95": distance,
                        "assd": distance / 5,
                        "nsd_2mm": math.sqrt(dice),
                        "volume_difference": noise.normal(0, 0.1),
                        "truth_ml": 100.0,
                        "prediction_ml": 101.0,
                    }
                )
    return pd.DataFrame(rows)
