import os
from dataclasses import replace

import pytest

from mass_nnunet.benchmark.run.entries import External
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.tested import check_tested, keep_tested
from mass_nnunet.data.raw import TEST
from mass_nnunet.data.sources import record_file
from mass_nnunet.errors import UserError
from planned_grid import write_planned


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """A grid that was scored on one test scan of each dataset."""
    grid = write_planned(tmp_path, monkeypatch)
    keep_tested(grid.output, make_jobs(grid)[0].tested)
    return grid


def files(grid):
    """The test scan of the CTs, and its label map."""
    raw = make_jobs(grid)[0].tested[0].dataset
    (case,) = raw.cases(TEST)
    return *raw.images(TEST, case), raw.label_path(TEST, case)


def test_scans_that_stayed_or_were_copied_may_be_tested_on(grid):
    for file in files(grid):
        os.utime(file, (1, 1))
    tests = make_jobs(grid)[0].tested
    check_tested(grid.output, tests)
    keep_tested(grid.output, tests)


@pytest.mark.parametrize("which", [0, 1], ids=["scan", "label map"])
def test_no_cell_joins_those_that_were_scored_on_other_files(grid, which):
    file = files(grid)[which]
    file.write_bytes(file.read_bytes() + b"\0")
    os.utime(file, (1, 1))  # older than what it was, as a backup is
    with pytest.raises(UserError, match=r"have changed since .*out was scored on them: restore them") as error:
        make_jobs(grid)
    record = record_file(grid.output, file.parents[1].name)
    assert str(record) in str(error.value)
    record.unlink()  # as the line says
    keep_tested(grid.output, make_jobs(grid)[0].tested)


def test_a_new_test_scan_is_a_change(grid):
    for file in files(grid):
        file.with_name(f"new{file.name}").write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="have changed since"):
        make_jobs(grid)


def test_the_predictions_of_a_tool_are_scored_again_instead(grid, tmp_path):
    _, truth = files(grid)
    prediction = tmp_path / "tool" / truth.parents[1].name / truth.name
    prediction.parent.mkdir(parents=True)
    prediction.write_bytes(truth.read_bytes())
    truth.write_bytes(truth.read_bytes() + b"\0")
    assert make_jobs(replace(grid, methods=(), external=(External("tool", tmp_path / "tool"),)))
