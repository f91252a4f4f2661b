import numpy as np
import pytest

from mass_nnunet.benchmark.report import tables
from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.evaluation.statistics import rank_methods
from scored_grid import write_scored


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    grid = write_scored(
        tmp_path_factory.mktemp("t") / "out", ("A", "B"), (0.1, 0.5), 2, 9, organs=("liver", "left_kidney")
    )
    return load_results(grid)


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
