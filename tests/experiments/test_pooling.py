"""Pooled scores of experiments/pooling.py, a script beside the package."""

from dataclasses import replace

import pandas as pd
import pytest

from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.document import write_report
from mass_nnunet.benchmark.report.results import ALL_ORGANS, load_results
from mass_nnunet.benchmark.run.state import read_record, write_record
from mass_nnunet.errors import UserError
from scored_grid import make_scores, write_cell, write_scored
from scripts import load_script

PATIENTS = 4


@pytest.fixture
def pooling():
    return load_script("pooling")


@pytest.fixture
def grids(tmp_path):
    """Three draws with other patients."""
    grids = []
    for number in range(3):
        grid = write_scored(tmp_path / f"draw{number}", ("A", "B"), (0.1,), 1, PATIENTS, ("CT", "MRI"), ("liver",))
        for cell in grid.cells:
            scores = make_scores(grid, cell, PATIENTS, ("CT", "MRI"), ("liver",))
            for column in ("case", "patient"):
                scores[column] += f" of draw {number}"
            write_cell(grid, cell, scores, training_seconds=100.0 * (number + 1))
        grids.append(grid)
    return grids


def test_every_patient_is_tested_once_and_the_tests_are_over_all(pooling, grids, tmp_path):
    pooled = pooling.pool(grids, tmp_path / "pooled")
    results = load_results(pooled)
    assert results.settings == [("CT", 0.1), ("MRI", 0.1)]
    numbers = compare_methods(results.scores, "dice", "B")
    whole = numbers[(numbers["organ"] == ALL_ORGANS) & (numbers["method"] == "A")]
    assert whole["tested"].tolist() == [3 * PATIENTS] * 2
    assert whole["p"].notna().all()  # of a single draw it is not known: too few patients
    draws = [compare_methods(load_results(grid).scores, "dice", "B") for grid in grids]
    means = pd.concat(draws)[lambda table: (table["organ"] == ALL_ORGANS) & (table["method"] == "A")]
    assert whole["mean"].tolist() == pytest.approx(means.groupby("modality")["mean"].mean().tolist())
    record = read_record(pooled.output / "cells" / pooled.cells[0].name)
    assert record["training_seconds"] == 200.0
    assert record["course"][0] == [25, 330.0, 0.5]
    write_report(pooled, tmp_path / "r.html", pictures=False)
    assert "every scan counts once" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_costs_are_those_of_all_draws(pooling, grids, tmp_path):
    for number, grid in enumerate(grids):
        folder = grid.output / "cells" / grid.cells[0].name
        changes = {
            "prediction_seconds_per_scan": {"segmentation": {"CT": 1.0 + number, "MRI": 2.0 * number}},
            "peak_memory_mb": [2048.0, 4096.0, None][number],
            "host": ["box", "cluster", "box"][number],
            "versions": {"Python": "3.12.0", "torch": f"2.{number}"},
        }
        write_record(folder, read_record(folder) | changes)
    pooled = pooling.pool(grids, tmp_path / "pooled")
    record = read_record(pooled.output / "cells" / pooled.cells[0].name)
    assert record["prediction_seconds_per_scan"] == {"segmentation": {"CT": 2.0, "MRI": 2.0}}
    assert (record["peak_memory_mb"], record["peak_gpu_memory_mb"]) == (4096.0, None)
    assert record["host"] == "box and cluster"
    assert record["versions"] == {"Python": "3.12.0", "torch": "2.0 and 2.1 and 2.2"}
    assert "validation" not in record


def test_what_is_done_is_pooled(pooling, grids, tmp_path):
    for number, cell in ((0, 0), (1, 0), (1, 1)):
        write_record(grids[number].output / "cells" / grids[number].cells[cell].name, {"state": "running"})
    scores = load_results(pooling.pool(grids, tmp_path / "pooled")).scores
    assert scores.groupby("method")["patient"].nunique().to_dict() == {"A": 2 * PATIENTS, "B": 4 * PATIENTS}
    for grid in grids:
        write_record(grid.output / "cells" / grid.cells[0].name, {"state": "running"})
    results = load_results(pooling.pool(grids, tmp_path / "other"))
    assert results.methods == ["B"]


def test_a_patient_that_is_tested_twice_is_refused(pooling, grids, tmp_path):
    same = [grids[0], replace(grids[0], datasets=(811, 812))]
    folder = grids[1].output
    for cell in grids[1].cells:
        scores = make_scores(grids[0], cell, PATIENTS, ("CT", "MRI"), ("liver",)).assign(dataset="Dataset811_CT")
        write_cell(grids[1], cell, scores)
        first = make_scores(grids[0], cell, PATIENTS, ("CT", "MRI"), ("liver",))
        write_cell(grids[0], cell, first)
    with pytest.raises(UserError, match="patient CT 0 is tested in two draws"):
        pooling.pool([same[0], replace(same[1], output=folder)], tmp_path / "pooled")
