"""The numbers of the report are those of statistics.py, and the right ones are best or marked."""

import numpy as np
import pandas as pd
import pytest

from mass_nnunet.benchmark.report.comparison import compare_methods, p_text
from mass_nnunet.benchmark.report.results import ALL_ORGANS, load_results
from mass_nnunet.evaluation.statistics import compare_all, describe, holm
from scored_grid import write_scored


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    return load_results(write_scored(tmp_path_factory.mktemp("out"), patients=12)).scores


def row(numbers, method, modality="CT", rate=0.1, organ=ALL_ORGANS):
    names = {"method": method, "modality": modality, "label_rate": rate, "organ": organ}
    found = numbers[(numbers[list(names)] == list(names.values())).all(axis=1)]
    return found.squeeze(axis=0)


@pytest.mark.parametrize("measure", ["dice", "hd95"])
def test_numbers_are_those_of_statistics(scores, measure):
    numbers = compare_methods(scores, measure, "B")
    whole = numbers[numbers["organ"] == ALL_ORGANS]
    names = ["method", "modality", "label_rate"]
    expected = describe(scores, measure).merge(compare_all(scores, measure, "B"), how="left", on=names)
    for column in ("mean", "sd", "low", "high", "difference", "p", "p_holm"):
        together = whole.merge(expected, on=names, suffixes=("", "_expected"))
        np.testing.assert_array_equal(together[column], together[f"{column}_expected"])
    by = ["modality", "label_rate", "organ"]
    tests = compare_all(scores, measure, "B", by)
    # Those of the single organs of a setting are a family.
    family = tests[(tests["modality"] == "MRI") & (tests["label_rate"] == 0.1)]
    expected = dict(zip(zip(family["method"], family["organ"], strict=True), holm(family["p"]), strict=True))
    assert len(expected) == 8 and row(numbers, "C", "MRI", 0.1, "liver")["p_holm"] == expected["C", "liver"]


def test_without_a_reference_it_is_the_best_of_the_column(scores):
    numbers = compare_methods(scores, "dice")
    assert row(numbers, "C")["is_best"] and not row(numbers, "B")["is_best"]
    assert row(numbers, "A")["other"] == "C" and pd.isna(row(numbers, "C")["other"])
    assert row(numbers, "A")["p_holm"] < 0.05 and row(numbers, "A")["difference"] < 0
    tests = numbers[(numbers["organ"] == ALL_ORGANS) & numbers["p"].notna()]
    assert len(tests) == 8
    np.testing.assert_array_equal(tests["p_holm"], holm(tests["p"]))


def test_smaller_distances_are_best_but_not_where_something_was_missed(scores):
    assert row(compare_methods(scores, "hd95"), "C")["is_best"]
    missed = scores.copy()
    place = missed.index[(missed["method"] == "C") & (missed["modality"] == "CT") & (missed["organ"] == "liver")][0]
    missed.loc[place, "hd95"] = np.inf
    numbers = compare_methods(missed, "hd95")
    assert row(numbers, "C")["missed"] == 1 and not row(numbers, "C")["is_best"]
    assert row(numbers, "B")["is_best"] and row(numbers, "C")["other"] == "B"
    missed["hd95"] = np.inf
    numbers = compare_methods(missed, "hd95")
    assert not numbers["is_best"].any() and numbers["other"].isna().all()


def test_equal_or_lone_methods_are_not_best(scores):
    same = scores.assign(dice=0.5)
    assert not compare_methods(same, "dice")["is_best"].any()
    alone = compare_methods(scores[scores["method"] == "A"], "dice")
    assert not alone["is_best"].any() and alone["p"].isna().all()


def test_too_few_patients_are_not_tested(scores):
    few = scores[scores["case"].str.endswith(("000", "001", "002"))]
    numbers = compare_methods(few, "dice", "B")
    assert numbers["p"].isna().all()
    tested = row(numbers, "A")
    assert tested["tested"] == 3 and p_text(tested["p_holm"], tested["tested"]) == "n too small"


def test_an_organ_absent_everywhere_has_no_row(scores):
    absent = scores.copy()
    absent.loc[(absent["organ"] == "spleen") & (absent["modality"] == "MRI"), "dice"] = np.nan
    numbers = compare_methods(absent, "dice")
    assert row(numbers, "A", "MRI", 0.1, "spleen").empty and row(numbers, "A", "MRI")["patients"] == 12


def test_measure_without_a_better_end_is_described_only(scores):
    numbers = compare_methods(scores, "volume_difference")
    assert not numbers["is_best"].any() and numbers["p"].isna().all() and numbers["mean"].notna().all()


def test_p_as_text():
    assert p_text(0.0412, 8) == "0.041" and p_text(0.1, 8) == "0.10" and p_text(1e-5, 8) == "< 0.001"
    assert p_text(np.nan, 8) == "no difference" and p_text(np.nan, 0) == "no common patients"
