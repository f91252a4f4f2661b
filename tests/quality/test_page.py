"""Tables and page say the same, what needs a look first; text of files is no HTML."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd

from balanced import Balanced
from mass_nnunet.quality.assessment import Assessment, Organ
from mass_nnunet.quality.branches import Disagreement
from mass_nnunet.quality.estimator import Estimator
from mass_nnunet.quality.page import few_scans, rows, write_quality_page, write_tables

ESTIMATOR = Estimator(np.zeros(2), np.ones(2), np.zeros(3), 1.0, 3)


def organ(name, dice, hd95=(12.3, 5.0, 40.0)):
    return Organ(name, dice, dice - 0.1, dice + 0.1, *hd95, 100.0, 120.0, (1, 2, 3), (10.0, 20.0, 30.0))


BAD = Assessment("b<b>", (organ("liver", 0.3), organ("left_kidney", 0.7, (None, None, None))), ("liver: <i>cut</i>",))
GOOD = Assessment("a", (organ("liver", 0.9), organ("left_kidney", 0.85)), ())


def test_a_row_for_each_case_and_organ(tmp_path):
    write_tables(tmp_path, [BAD, GOOD], ESTIMATOR)
    table = pd.read_csv(tmp_path / "quality.csv").fillna({"marks": ""})
    pd.testing.assert_frame_equal(table, rows([BAD, GOOD]).astype(table.dtypes))
    for column, value in (("hd95", 12.3), ("hd95_low", 5.0), ("hd95_high", 40.0)):
        assert table[column].isna().tolist() == [False, True, False, False]
        assert table[column].dropna().tolist() == [value] * 3
    assert table[["branches_dice", "branches_x", "branches_y", "branches_slice"]].isna().all(axis=None)
    assert table["verdict"].tolist() == ["poor", "poor", "good", "good"]
    assert table.loc[0, ["voxel_x", "voxel_y", "slice", "z_mm"]].tolist() == [1, 2, 3, 30.0]
    content = json.loads((tmp_path / "quality.json").read_text())
    assert [Assessment.from_json(case) for case in content["cases"]] == [BAD, GOOD]


def test_the_page(tmp_path):
    write_quality_page(tmp_path / "quality.html", [BAD, GOOD], {}, "some dataset", ESTIMATOR)
    page = (tmp_path / "quality.html").read_text()
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert "some dataset: 2 cases, 1 poor, 0 doubtful, 1 good." in page
    assert "b&lt;b&gt;: poor" in page and "&lt;i&gt;cut" in page and "<i>cut" not in page
    assert "<h2>a: good</h2>" not in page  # neither marks nor a picture
    assert "fewer than 9" in page
    assert "5 to 40" in page and "None" not in page


def test_few_patients_are_said():
    text = few_scans(ESTIMATOR)
    assert "from 3 annotated patients, fewer than 9: they are as wide as the largest error there" in text


def test_where_head_and_atlases_differ(tmp_path):
    organs = replace(organ("liver", 0.9), branches=Disagreement(0.91, (11, 22, 33))), organ("spleen", 0.9)
    organs = *organs, replace(organ("left_kidney", 0.9), branches=Disagreement(1.0, None))
    found = Assessment("a", organs, ("a mark",))
    write_tables(tmp_path, [found], ESTIMATOR)
    table = pd.read_csv(tmp_path / "quality.csv", keep_default_na=False)
    assert table["branches_slice"].tolist() == ["33", "", ""]
    assert table["branches_dice"].tolist() == ["0.91", "", "1.0"]
    content = json.loads((tmp_path / "quality.json").read_text())
    assert Assessment.from_json(content["cases"][0]) == found
    write_quality_page(tmp_path / "quality.html", [found], {}, "some dataset", ESTIMATOR)
    page = (tmp_path / "quality.html").read_text()
    assert page.count("Dice of head and atlases") == 1
    assert "11, 22" in page


def test_the_dice_with_others_is_shown_and_said_where_there_is_one(tmp_path):
    with_others = Assessment("a", (replace(organ("liver", 0.9), others_dice=0.87),), ("a mark",))
    for found, count in ((BAD, 0), (with_others, 1)):
        write_quality_page(tmp_path / "quality.html", [found], {}, "some dataset", ESTIMATOR)
        page = (tmp_path / "quality.html").read_text()
        assert page.count("the mean of the Dice with others and of what annotated scans say") == count
        assert page.count("<th>Dice with others</th>") == count
    assert "0.87" in page


def test_many_scans_need_no_warning():
    assert few_scans(Estimator(np.zeros(2), np.ones(2), np.zeros(3), 1.0, 12)).endswith("from 12 annotated patients.")
