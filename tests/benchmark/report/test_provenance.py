import csv
import io

import pytest

from mass_nnunet.benchmark.report import provenance
from mass_nnunet.benchmark.report.formats import to_csv
from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.state import read_record, write_record
from planned_grid import write_planned, write_plans
from scored_grid import write_scored
from tiny_group import CT, MRI


@pytest.fixture
def grid(tmp_path):
    return write_scored(tmp_path / "out", ("A", "B"), (0.1,), 2, 2)


def change(grid, number, **changes):
    folder = grid.output / "cells" / grid.cells[number].name
    write_record(folder, read_record(folder) | changes)


def test_cost_is_the_mean_over_cells_and_its_range(grid):
    change(grid, 1, peak_memory_mb=None, peak_gpu_memory_mb=4096.0)
    lines = to_csv(provenance.cost_table(load_results(grid))).splitlines()
    assert lines[0] == (
        "method,cells,training,training note,to Dice 0.6,to Dice 0.8,to Dice 0.8 note,memory (GiB),GPU memory (GiB)"
    )
    assert lines[1] == "A,2,12 min,(11 min to 12 min),500 s,10 min,1 of 2 never,2.0,–"
    assert lines[2] == "B,2,12 min,(11 min to 12 min),500 s,10 min,1 of 2 never,2.0,4.0"


def test_prediction_is_told_by_what_predicts(grid):
    change(grid, 1, prediction_seconds_per_scan={"segmentation": {"CT": 2.5}, "fused": {"CT": 5.0, "MRI": 6.0}})
    lines = to_csv(provenance.prediction_table(load_results(grid))).splitlines()
    assert lines == [
        'method,predicted by,"s/scan, CT","s/scan, CT note","s/scan, MRI"',
        "A,segmentation,1.5,,1.5",
        "B,segmentation,2,(1.5 to 2.5),1.5",
        "B,fused,5,,6",
    ]


def test_what_ran_on_different_devices_is_not_mixed(grid):
    change(grid, 0, trained_on="a GPU", training_seconds=60.0)
    lines = to_csv(provenance.cost_table(load_results(grid))).splitlines()
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["a GPU", "A", "1", "60 s"],
        ["–", "A", "1", "12 min"],
        ["–", "B", "2", "12 min"],
    ]


def test_time_to_a_dice_is_that_of_the_first_epoch_that_has_it(grid):
    (row, _) = csv.DictReader(io.StringIO(to_csv(provenance.cost_table(load_results(grid)))))
    assert row["to Dice 0.6"] == "500 s" and "to Dice 0.6 note" not in row
    assert (row["to Dice 0.8"], row["to Dice 0.8 note"]) == ("10 min", "1 of 2 never")


def test_time_to_a_dice_is_not_made_up_for_cells_that_do_not_tell_it(grid):
    for cell in grid.cells:
        folder = grid.output / "cells" / cell.name
        write_record(folder, {key: value for key, value in read_record(folder).items() if key != "validation"})
    (row, _) = csv.DictReader(io.StringIO(to_csv(provenance.cost_table(load_results(grid)))))
    assert row["to Dice 0.6"] == row["to Dice 0.8"] == "–"


def test_the_schedule_is_that_of_the_plans(tmp_path, monkeypatch):
    grid = write_planned(tmp_path, monkeypatch)
    sizes = {"patch_size": [16, 48, 48], "spacing": [15.87, 7.375, 7.375]}
    group = [{"name": "CT", "dataset": CT}, {"name": "MRI", "dataset": MRI}]
    for name, modality in ((CT, "CT"), (MRI, "MRI")):
        mass = {"modalities": group, "modality": modality, "hyperparameters": {}, "epochs": 16, "iterations": 25}
        write_plans(tmp_path, name, modality, configurations={"3d_fullres": sizes}, mass=mass)
    assert provenance.schedule(make_jobs(grid)) == (
        "Trained for 16 epochs of 25 steps, with patches of 16 × 48 × 48 voxels of 15.9 × 7.38 × 7.38 mm."
    )


def test_each_environment_is_told_once(grid):
    assert provenance.environments(load_results(grid)).count("<table>") == 1
    change(grid, 3, versions={"Python": "3.13.1"}, host="other")
    html = provenance.environments(load_results(grid))
    assert html.count("<table>") == 2 and "3.12.0" in html and "3.13.1" in html and "other" in html
    change(grid, 2, trained_on="a GPU")
    html = provenance.environments(load_results(grid))
    assert html.count("<table>") == 3 and "a GPU" in html


def test_nothing_is_said_of_missing_cells_where_none_is(grid):
    assert provenance.missing_cells(load_results(grid)) == ""
    change(grid, 2, state="failed", error="no <luck>")
    html = provenance.missing_cells(load_results(grid))
    assert "1 of the 4 cells of the grid is not in this report" in html and "failed: no &lt;luck&gt;" in html
