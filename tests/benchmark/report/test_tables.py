"""The tables of a report: what is best, marked, missed and noted."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mass_nnunet.benchmark.report import tables
from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.formats import to_html
from mass_nnunet.benchmark.report.results import Results, load_results
from mass_nnunet.benchmark.run.grid import Grid
from mass_nnunet.evaluation.statistics import rank_methods
from scored_grid import write_scored


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    grid = write_scored(
        tmp_path_factory.mktemp("t") / "out", ("A", "B"), (0.1, 0.5), 2, 9, organs=("liver", "left_kidney")
    )
    return load_results(grid)


def html_of(values, measure):
    """The table of {(modality, method, organ): values by case}."""
    setting = {"label_rate": 0.1, "seed": 0, "inference": "segmentation"}
    rows = [
        {"modality": m, "method": t, "trainer": t, "organ": o, "case": str(i), measure: value, **setting}
        for (m, t, o), cases in values.items()
        for i, value in enumerate(cases)
    ]
    methods = tuple(dict.fromkeys(method for _, method, _ in values))
    results = Results(Grid((801,), methods, (0.1,), (0,), Path(), device="cpu"), pd.DataFrame(rows), {}, {})
    return to_html(tables.score_table(results, compare_methods(results.scores, measure), measure), {})


def bold(html):
    return re.findall(r'<td class="best">([\d.]+)', html)


def test_the_best_mean_is_bold_in_each_column_of_each_modality():
    html = html_of(
        {
            ("CT", "A", "liver"): [0.9, 0.7],
            ("CT", "B", "liver"): [0.8, 0.9],
            ("CT", "A", "left_kidney"): [0.7, 0.7],
            ("CT", "B", "left_kidney"): [0.5, 0.5],
            ("MRI", "A", "liver"): [0.1, 0.3],
            ("MRI", "B", "liver"): [0.1, 0.3],
        },
        "dice",
    )
    # CT: A is best at the kidney and in the mean, B at the liver; MRI: both are equal, so none is.
    assert bold(html) == ["0.700", "0.750", "0.850"]
    assert "left kidney" in html
    assert "<td>–</td>" in html  # the MRIs have no kidney


def test_a_method_that_missed_an_organ_is_not_best_at_distances():
    table = {("CT", "A", "liver"): [1.0, math.inf], ("CT", "B", "liver"): [9.0, 11.0], ("CT", "C", "liver"): [math.inf]}
    html = html_of(table, "hd95")
    assert bold(html) == ["10.0", "10.0"]
    assert "<td>1.0<br><small>1 missed</small></td>" in html and "<td>–<br><small>1 missed</small></td>" in html


def test_smaller_distance_is_better_and_a_single_method_is_not_best():
    assert bold(html_of({("CT", "A", "liver"): [1.0], ("CT", "B", "liver"): [2.0]}, "hd95")) == ["1.0", "1.0"]
    assert bold(html_of({("CT", "A", "liver"): [1.0]}, "dice")) == []


def test_by_organ_and_over_all(results):
    numbers = compare_methods(results.scores, "dice")
    table = tables.score_table(results, numbers, "dice")
    assert table.header == ["method", "liver", "left kidney", "all organs", "sd of seeds"]
    assert table.groups[0][0] == "CT, 10 % of the labels (9 patients, 2 seeds)"
    overview = tables.overview_table(results, numbers, "dice")
    assert overview.header == ["method", "CT, 10 %", "CT, 50 %", "MRI, 10 %", "MRI, 50 %"]
    rows = overview.groups[0][1]
    assert [row[1] for row in rows] == [row[3] for row in table.groups[0][1]]
    assert [entry.is_best for entry in rows[1][1:]] == [True] * 4
    assert [entry.is_marked for entry in rows[0][1:]] == [True] * 4  # 4 * 2 / 2**9
    assert rows[0][0].note == ""


def test_fewer_seeds_or_patients_are_noted(results):
    scores = results.scores
    some = scores[(scores["method"] == "B") | (scores["seed"] == 0) & (scores["case"] != "ct_0001")]
    numbers = compare_methods(some, "dice")
    groups = tables.score_table(results, numbers, "dice").groups
    assert groups[0][1][0][0].note == "(8 of 9 patients, 1 of 2 seeds)" and groups[0][1][1][0].note == ""
    assert groups[0][1][0][-1] == tables.NOTHING
    first, second = tables.overview_table(results, numbers, "dice").groups[0][1]
    assert first[1].note.endswith("], 8 of 9 patients, 1 of 2 seeds") and second[1].note.endswith("]")


def test_an_organ_that_was_never_found_is_told_and_marked(results):
    scores = results.scores.copy()
    scores.loc[(scores["method"] == "A") & (scores["organ"] == "liver"), "hd95"] = np.inf
    table = tables.score_table(results, compare_methods(scores, "hd95"), "hd95")
    assert table.groups[0][1][0][1] == tables.Entry("–", "18 missed", is_marked=True)


def test_tests_in_words(results):
    table = tables.comparison_table(results, compare_methods(results.scores, "dice", "B"), "dice")
    words = [entry.text for entry in table.groups[0][1][0]]
    assert words[:2] == ["A", "B"] and float(words[2]) < 0 and words[3] == "9"
    assert float(words[4]) == pytest.approx(2 / 2**9, rel=0.02) and float(words[5]) == pytest.approx(8 / 2**9, rel=0.03)
    few = results.scores[results.scores["case"].str.endswith(("0", "1"))]
    table = tables.comparison_table(results, compare_methods(few, "dice", "B"), "dice")
    assert [entry.text for entry in table.groups[0][1][0]][3:] == ["2", "–", "n too small"]


def test_ranks_and_their_shares(results):
    ranking = rank_methods(results.of("CT", 0.1), "dice")
    ((title, rows),) = tables.ranking_table({("CT", 0.1): ranking}).groups
    assert "9 patients that all methods scored; Kendall's tau 1.00" in title
    assert [[entry.text for entry in row][2:] for row in rows] == [["1", "100 %", "100 %"], ["2", "100 %", "0 %"]]
    nothing = rank_methods(results.scores.assign(dice=np.nan), "dice")
    assert tables.ranking_table({("CT", 0.1): nothing}).groups[0][1][0][1:] == [tables.NOTHING] * 4
