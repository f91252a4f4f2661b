"""Suggestions for two datasets: what is suggested, in which words, and that hidden labels do not matter."""

import re

import pytest

from exported_scans import CASES, UNLABELLED
from mass_nnunet.annotation.certainty import Certainty
from mass_nnunet.annotation.pool import load_pools
from mass_nnunet.annotation.suggestion import is_ct, suggest, survey
from scarce_group import garble_hidden_labels
from tiny_group import CT, MRI, entry


def suggested(count=3, assess=None):
    return suggest([survey(pool, 1, assess) for pool in load_pools([801, 802], 0)], count)


def test_by_coverage(pair):
    found = suggested(4)
    assert [one.rank for one in found] == [1, 2, 3, 4]
    assert {one.dataset for one in found} == {CT, MRI}
    never = {case for name in (CT, MRI) for part in ("train", "val") for case in entry(pair, name)[part]}
    assert not {one.case for one in found} & never
    assert all(one.uncertainty is None and "The model" not in one.reason for one in found)
    trained = [case for name in (CT, MRI) for case in entry(pair, name)["train"]]
    first = found[0]
    assert re.search(
        rf"It differs from ({'|'.join(trained)}), the annotated scan nearest to it, most in ", first.reason
    )


def test_hidden_labels_change_no_suggestion(pair):
    before = suggested(5)
    assert sum(garble_hidden_labels(pair, name) for name in (CT, MRI)) == 6
    for file in (pair / "raw").rglob("labelsT*/*"):
        file.write_bytes(b"garbage")
    assert suggested(5) == before


def test_without_any_annotated_scan_the_most_typical_one_is_first(pair):
    for name in (CT, MRI):
        (pair / "preprocessed" / name / "splits_final.json").unlink()
    for file in (pair / "raw" / CT / "imagesTr").iterdir():
        file.replace(pair / "raw" / CT / "imagesUn" / file.name)
    text = (pair / "raw" / CT / "dataset.json").read_text().replace('"numTraining": 5', '"numTraining": 0')
    (pair / "raw" / CT / "dataset.json").write_text(text)
    count = len(CASES[CT]) + len(UNLABELLED[CT])
    first, second, *_ = suggested(3)
    assert first.reason == f"No CT is annotated, and this is the most typical one of {count}."
    assert "nearest to it, most in" in second.reason


def test_what_the_model_is_unsure_of_comes_first_and_is_said(pair):
    def assess(pool, files):
        sure = "mrun" not in files[0].name
        return Certainty({"spleen": 0.98, "liver": 0.95} if sure else {"spleen": 0.0, "liver": 0.2})

    first, *others = suggested(9, assess)
    assert first.case == "mrun"
    assert first.uncertainty == pytest.approx(0.9)
    assert first.reason.endswith(
        "The model does not find spleen and is least sure of liver (it expects a Dice of 0.20)."
    )
    assert len(others) == 8
    assert others[0].reason.endswith("The model is least sure of liver (it expects a Dice of 0.95).")


def test_details_are_those_of_the_modality():
    assert is_ct("CT")
    assert not is_ct("MRI")
