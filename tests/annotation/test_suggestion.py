"""Suggestions for two datasets: what is suggested, in which words, and that hidden labels do not matter."""

import re

import numpy as np
import pytest

from exported_scans import CASES, UNLABELLED
from mass_nnunet.annotation.certainty import Certainty
from mass_nnunet.annotation.description import Description
from mass_nnunet.annotation.pool import load_pools
from mass_nnunet.annotation.suggestion import _details, suggest, survey
from mass_nnunet.data.intensities import is_ct
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


@pytest.mark.parametrize(
    ("aspect", "modality", "text"),
    [
        ("field of view", "CT", " (300 instead of 450 mm along the body)"),
        ("resolution", "MRI", " (voxels of 0.8 x 0.8 x 5 instead of 1 x 1 x 2 mm)"),
        ("size of the body", "MRI", " (350 x 250 instead of 300 x 200 mm)"),
        ("intensities", "CT", " (soft tissue of -90 to 120 instead of -80 to 200 HU)"),
        ("intensities", "MRI", ""),
        ("anatomy", "CT", ""),
    ],
)
def test_details_are_plain_numbers(aspect, modality, text):
    image = np.zeros((2, 2, 2))
    this = Description((300.0, 1, 1), (5.0, 0.8, 0.8), (250.0, 350.0), np.array([-90.0, 50, 120]), image)
    other = Description((450.0, 1, 1), (2.0, 1.0, 1.0), (200.0, 300.0), np.array([-80.0, 60, 200]), image)
    assert _details(aspect, this, other, is_ct(modality)) == text
