import pytest

from mass_nnunet.benchmark.report import provenance
from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.benchmark.run.lookup import make_jobs
from planned_grid import write_planned, write_plans
from scored_grid import change_record, write_scored
from tiny_group import CT, MRI


@pytest.fixture
def grid(tmp_path):
    return write_scored(tmp_path / "out", ("A", "B"), (0.1,), 2, 2)


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
    change_record(grid, 3, versions={"Python": "3.13.1"}, host="other")
    html = provenance.environments(load_results(grid))
    assert html.count("<table>") == 2 and "3.12.0" in html and "3.13.1" in html and "other" in html
    change_record(grid, 2, trained_on="a GPU")
    html = provenance.environments(load_results(grid))
    assert html.count("<table>") == 3 and "a GPU" in html


def test_nothing_is_said_of_missing_cells_where_none_is(grid):
    assert provenance.missing_cells(load_results(grid)) == ""
    change_record(grid, 2, state="failed", error="no <luck>")
    html = provenance.missing_cells(load_results(grid))
    assert "1 of the 4 cells of the grid is not in this report" in html and "failed: no &lt;luck&gt;" in html
