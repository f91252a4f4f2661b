import pandas as pd
import pytest

from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.benchmark.run.scoring import SCORES
from mass_nnunet.benchmark.run.state import read_record, write_record
from mass_nnunet.errors import UserError
from scored_grid import make_scores, write_cell, write_scored


@pytest.fixture
def grid(tmp_path):
    return write_scored(tmp_path / "out", ("B", "A"), seeds=1, patients=2)


def test_what_is_done_is_read_in_the_order_of_the_grid(grid):
    results = load_results(grid)
    assert results.methods == ["B", "A"]
    assert results.settings == [("CT", 0.1), ("CT", 0.5), ("MRI", 0.1), ("MRI", 0.5)]
    assert results.measures == ["dice", "hd", "hd95", "assd", "nsd_2mm", "volume_difference"]
    assert len(results.scores) == 2 * 2 * 2 * 2 * 4 and len(results.of("CT", 0.1)) == 16
    assert results.done == grid.cells


def test_cells_that_are_not_done_do_not_count(grid):
    folder = grid.output / "cells" / grid.cells[0].name
    write_record(folder, read_record(folder) | {"state": "failed", "error": "no luck", "log": None})
    results = load_results(grid)
    assert results.states[grid.cells[0]] == "failed" and len(results.done) == 3
    assert len(results.scores) == 3 * 16
    for cell in grid.cells:
        write_record(grid.output / "cells" / cell.name, {"state": "running"})
    with pytest.raises(UserError, match="no cell that is done"):
        load_results(grid)


def test_each_inference_is_a_method(grid):
    cell = grid.cells[1]
    scores = make_scores(grid, cell, 2, ("CT", "MRI"), ("liver",))
    both = pd.concat([scores, scores.assign(inference="atlas")])
    write_cell(grid, cell, both)
    results = load_results(grid)
    assert results.methods[0] == "B" and {"A (segmentation)", "A (atlas)"} <= set(results.methods)
    assert set(results.scores["trainer"]) == {"A", "B"}
    assert results.trainers["A (atlas)"] == "A" and list(results.trainers) == results.methods
    write_cell(grid, cell, scores.assign(inference="fused"))
    write_cell(
        grid, grid.cells[3], make_scores(grid, grid.cells[3], 2, ("CT", "MRI"), ("liver",)).assign(inference="fused")
    )
    assert load_results(grid).methods == ["B", "A (fused)"]


def test_broken_scores_are_named(grid):
    file = grid.output / "cells" / grid.cells[0].name / SCORES
    file.write_text("case,dice\n")
    with pytest.raises(UserError, match=r"scores.csv has no column method: remove .* and run the grid again"):
        load_results(grid)
    file.unlink()
    with pytest.raises(UserError, match=r"scores\.csv cannot be read"):
        load_results(grid)
