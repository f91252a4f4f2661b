"""What a method costs, and the course of its trainings."""

import csv
import io

import numpy as np
import pytest

from mass_nnunet.benchmark.report import cost
from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.formats import to_csv
from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.benchmark.run.state import read_record, write_record
from scored_grid import change_record, write_scored


@pytest.fixture
def grid(tmp_path):
    return write_scored(tmp_path / "out", ("A", "B"), (0.1,), 2, 2)


def test_cost_is_the_mean_over_cells_and_its_range(grid):
    change_record(grid, 1, peak_memory_mb=None, peak_gpu_memory_mb=4096.0)
    lines = to_csv(cost.cost_table(load_results(grid))).splitlines()
    assert lines[0] == (
        "method,cells,training,training note,to Dice 0.6,to Dice 0.8,to Dice 0.8 note,memory (GiB),GPU memory (GiB)"
    )
    assert lines[1] == "A,2,12 min,(11 min to 12 min),500 s,10 min,1 of 2 never,2.0,–"
    assert lines[2] == "B,2,12 min,(11 min to 12 min),500 s,10 min,1 of 2 never,2.0,4.0"


def test_prediction_is_told_by_what_predicts(grid):
    change_record(grid, 1, prediction_seconds_per_scan={"segmentation": {"CT": 2.5}, "fused": {"CT": 5.0, "MRI": 6.0}})
    lines = to_csv(cost.prediction_table(load_results(grid))).splitlines()
    assert lines == [
        'method,predicted by,"s/scan, CT","s/scan, CT note","s/scan, MRI"',
        "A,segmentation,1.5,,1.5",
        "B,segmentation,2,(1.5 to 2.5),1.5",
        "B,fused,5,,6",
    ]


def test_what_ran_on_different_devices_is_not_mixed(grid):
    change_record(grid, 0, trained_on="a GPU", training_seconds=60.0)
    lines = to_csv(cost.cost_table(load_results(grid))).splitlines()
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["a GPU", "A", "1", "60 s"],
        ["–", "A", "1", "12 min"],
        ["–", "B", "2", "12 min"],
    ]


def test_time_to_a_dice_is_that_of_the_first_epoch_that_has_it(grid):
    (row, _) = csv.DictReader(io.StringIO(to_csv(cost.cost_table(load_results(grid)))))
    assert row["to Dice 0.6"] == "500 s" and "to Dice 0.6 note" not in row
    assert (row["to Dice 0.8"], row["to Dice 0.8 note"]) == ("10 min", "1 of 2 never")


def test_time_to_a_dice_is_not_made_up_for_cells_that_do_not_tell_it(grid):
    for cell in grid.cells:
        folder = grid.output / "cells" / cell.name
        write_record(folder, {key: value for key, value in read_record(folder).items() if key != "validation"})
    (row, _) = csv.DictReader(io.StringIO(to_csv(cost.cost_table(load_results(grid)))))
    assert row["to Dice 0.6"] == row["to Dice 0.8"] == "–"


def known(grid):
    results = load_results(grid)
    return cost.courses(results, compare_methods(results.scores, "dice"))


def test_a_course_is_the_mean_of_its_cells_and_ends_with_the_dice_of_the_test_scans(grid):
    change_record(grid, 2, course=[[25, 430.0, 0.5], [50, 600.0, 0.7], [75, 700.0, 0.95]])  # A, seed 1
    (a, b) = known(grid)
    assert (a.method, a.label_rate, a.device, b.method) == ("A", 0.1, "–", "B")
    np.testing.assert_allclose(a.mean, [[25, 380, 0.5], [50, 550, 0.7], [75, 650, 0.85]])
    scores = load_results(grid).scores
    of_a = scores[scores["method"] == "A"].groupby(["modality", "patient"])["dice"].mean()
    assert a.test == pytest.approx(of_a.groupby("modality").mean().mean())


def test_what_a_dice_costs_in_time_and_steps(grid):
    (row, _) = csv.DictReader(io.StringIO(to_csv(cost.course_table(known(grid)))))
    assert (row["steps"], row["training"], row["validation Dice, last epoch"]) == ("100", "11 min", "0.740")
    assert (row["to 0.5"], row["to 0.5 note"]) == ("330 s", "25 steps")
    assert (row["to 0.6"], row["to 0.7"], row["to 0.7 note"]) == ("500 s", "500 s", "50 steps")
    assert (row["to 0.8"], row["to 0.8 note"]) == ("10 min", "75 steps, 1 of 2 never")
    assert "to 0.9" not in row
    change_record(grid, 0, course=[[25, 330.0, 0.65]])
    change_record(grid, 2, course=[[25, 330.0, 0.65]])
    (row, _) = csv.DictReader(io.StringIO(to_csv(cost.course_table(known(grid)))))
    assert row["to 0.7"] == "never"


def test_courses_on_different_devices_are_kept_apart(grid):
    change_record(grid, 0, trained_on="a GPU")
    assert [(course.method, course.device, len(course.curves)) for course in known(grid)] == [
        ("A", "a GPU", 1),
        ("A", "–", 1),
        ("B", "–", 2),
    ]
    assert {title for title, _ in cost.course_table(known(grid)).groups} == {
        "10 % of the labels, a GPU",
        "10 % of the labels, –",
    }


def test_cells_of_an_older_version_tell_no_course(grid):
    for number in range(4):
        change_record(grid, number, course=[])
    assert known(grid) == []
