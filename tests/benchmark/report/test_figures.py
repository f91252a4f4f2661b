"""The figures of a report: their content for one and for twelve methods, and the size of the files."""

from contextlib import contextmanager

import numpy as np
import pytest

from mass_nnunet.benchmark.report import figures
from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.cost import courses
from mass_nnunet.benchmark.report.palette import styles
from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.evaluation.statistics import patient_values, rank_methods
from scored_grid import write_scored

SETTING = ("CT", 0.1)


@pytest.fixture
def panels(monkeypatch):
    """The axes of the last figure, as they were when it was written."""
    seen = []
    original = figures._panels

    @contextmanager
    def spy(*arguments):
        with original(*arguments) as (figure, axes):
            yield figure, axes
            seen[:] = axes

    monkeypatch.setattr(figures, "_panels", spy)
    return seen


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return load_results(write_scored(tmp_path_factory.mktemp("f") / "out", patients=7, organs=("liver", "left_kidney")))


def test_means_against_label_rates(results, panels, tmp_path):
    numbers = compare_methods(results.scores, "dice")
    figures.draw_rates(results, numbers, styles(results.trainers), tmp_path / "r.svg")
    assert [axes.get_title(loc="left") for axes in panels] == ["CT", "MRI"]
    lines = panels[0].containers
    assert [line.get_label() for line in lines] == ["A", "B", "C"]
    of_a = numbers[numbers["method"].eq("A") & numbers["modality"].eq("CT") & numbers["organ"].eq("all organs")]
    np.testing.assert_allclose(lines[0][0].get_ydata(), of_a["mean"])
    np.testing.assert_allclose(lines[0][2][0].get_segments()[0][:, 1], of_a[["low", "high"]].iloc[0])
    assert len({line[0].get_xdata()[0] for line in lines}) == 3  # side by side


def test_boxes_are_of_patients(results, panels, tmp_path):
    figures.draw_boxes(results, SETTING, styles(results.trainers), tmp_path / "b.svg")
    assert [axes.get_title(loc="left") for axes in panels] == ["liver", "left kidney"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["A", "B", "C"]
    scores = results.of(*SETTING)
    liver = scores[(scores["organ"] == "liver") & (scores["method"] == "A")]
    median = np.median(patient_values(liver, "dice", ["A"]))
    drawn = [line.get_xdata() for line in panels[0].lines]
    assert any(np.allclose(x, median) for x in drawn)


def test_a_line_a_patient(results, panels, tmp_path):
    numbers = compare_methods(results.scores, "dice", "B")
    assert figures.draw_slopes(results, SETTING, numbers, tmp_path / "s.svg")
    assert [axes.get_title().splitlines()[0] for axes in panels] == ["A", "C"]
    assert "higher in 0 of 7" in panels[0].get_title() and "higher in 7 of 7" in panels[1].get_title()
    segments = np.array(panels[1].collections[0].get_segments())
    np.testing.assert_allclose(segments[:, :, 1], patient_values(results.of(*SETTING), "dice", ["B", "C"]))
    alone = numbers.assign(other=None)
    assert not figures.draw_slopes(results, SETTING, alone, tmp_path / "n.svg") and not (tmp_path / "n.svg").exists()


def test_shares_of_ranks(results, panels, tmp_path):
    ranking = rank_methods(results.of(*SETTING), "dice")
    figures.draw_rankings({SETTING: ranking}, tmp_path / "k.svg")
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["C", "B", "A"]
    np.testing.assert_array_equal(panels[0].images[0].get_array(), ranking.table[[1, 2, 3]])


def test_twelve_methods_and_four_hundred_patients_stay_small(tmp_path, panels):
    methods = tuple(f"Method{number}Trainer" for number in range(12))
    grid = write_scored(tmp_path / "out", methods, (0.1,), 1, 400, ("CT",), ("liver",))
    results = load_results(grid)
    numbers = compare_methods(results.scores, "dice")
    looks = styles(results.trainers)
    figures.draw_rates(results, numbers, looks, tmp_path / "r.svg")
    assert [label.get_text() for label in panels[0].get_yticklabels()] == list(methods)  # one rate: a row a method
    figures.draw_boxes(results, SETTING, looks, tmp_path / "b.svg")
    figures.draw_slopes(results, SETTING, numbers, tmp_path / "s.svg")
    # Each goes into the page once for each of 12 settings at most, which may hold 20 MB.
    assert sum((tmp_path / f"{name}.svg").stat().st_size for name in "rbs") < 800_000


def test_courses_against_time_and_steps_end_with_the_test_scans(results, panels, tmp_path):
    known = courses(results, compare_methods(results.scores, "dice"))
    figures.draw_courses(known, styles(results.trainers), tmp_path / "c.svg")
    assert [axes.get_title(loc="left") for axes in panels[::2]] == ["10 % of the labels", "50 % of the labels"]
    assert [axes.get_xlabel() for axes in panels[:2]] == ["training time (min)", "steps of a training"]
    curve, mark = panels[1].lines[:2]
    np.testing.assert_allclose(curve.get_xydata(), known[0].mean[:, [0, 2]])
    np.testing.assert_allclose(panels[0].lines[0].get_xdata(), known[0].mean[:, 1] / 60)
    assert mark.get_xydata().tolist() == [[known[0].mean[-1, 0], known[0].test]]
    assert len(panels[0].lines) == 2 * 3
