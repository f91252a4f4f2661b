"""experiments/quality_damage.py: what it damages, what it writes, and that it tells what was not found."""

import json
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from scripts import EXPERIMENTS, load_script

NAMES = {"background": 0, "spleen": 1, "right_kidney": 2, "left_kidney": 3, "liver": 4}
SHAPE, SPACING = (12, 16, 20), (5.0, 10.0, 8.0)
DIRECTION = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return load_script("quality_damage")


@pytest.fixture
def pair(script):
    scan = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    for value in range(1, 5):
        labels[2 * value : 2 * value + 2, 3:6, 4 * value - 2 : 4 * value] = value
    return script.Pair(scan, labels, SPACING, DIRECTION, NAMES)


def test_every_damage_changes_the_pair_and_keeps_its_form(script, pair):
    for damage in script.DAMAGES.values():
        wrong = damage(pair)
        assert wrong.scan.shape == wrong.labels.shape
        assert wrong.labels.dtype == pair.labels.dtype
        assert not all(np.array_equal(one, other) for one, other in zip(wrong[:2], pair[:2], strict=True))


def test_labels_are_shifted_by_5_cm_to_the_front(script, pair):
    shifted = script.shifted_labels(pair).labels
    np.testing.assert_array_equal(shifted[:, 8:11], pair.labels[:, 3:6])
    assert not shifted[:, :8].any()


def test_values_are_swapped(script, pair):
    labels = script.DAMAGES["kidneys swapped"](pair).labels
    np.testing.assert_array_equal(labels == 2, pair.labels == 3)
    np.testing.assert_array_equal(labels == 3, pair.labels == 2)
    np.testing.assert_array_equal(labels == 4, pair.labels == 4)


def test_half_a_scan_ends_in_the_middle_of_the_organs(script, pair):
    wrong = script.half(pair)
    np.testing.assert_array_equal(wrong.scan, pair.scan[:6])
    assert wrong.labels[-1].any()


@pytest.mark.parametrize(
    ("bad_verdict", "bad_marks", "status"), [("poor", ["wrong"], 0), ("good", ["wrong"], 1), ("poor", [], 1)]
)
def test_the_table_names_what_was_not_found(
    script, pair, tmp_path, monkeypatch, capsys, bad_verdict, bad_marks, status
):
    script.write_pair(pair, "case", tmp_path, tmp_path)

    class Dataset:
        labels = NAMES
        load = staticmethod(lambda number: Dataset)

    def quality(words):
        work, cases = tmp_path / "work", []
        inputs = ["as predicted", *script.DAMAGES]
        for number, name in enumerate(inputs):
            image = sitk.ReadImage(str(work / "images" / f"input{number:02d}_0000.nii.gz"))
            labels = sitk.ReadImage(str(work / "predictions" / f"input{number:02d}.nii.gz"))
            for file in (image, labels):
                np.testing.assert_allclose(file.GetDirection(), DIRECTION)
                np.testing.assert_allclose(file.GetSpacing(), SPACING[::-1])
            is_kidney = name == "kidneys swapped"
            verdict, marks = (bad_verdict, bad_marks) if is_kidney else ("poor", [f"mark of {name}"])
            cases.append({"case": f"input{number:02d}", "verdict": verdict, "marks": marks, "organs": [{"dice": 0.25}]})
        (work / "quality").mkdir()
        (work / "quality" / "quality.json").write_text(json.dumps({"cases": cases[::-1]}))
        return 0

    monkeypatch.setattr(script, "RawDataset", Dataset)
    monkeypatch.setattr(script, "mass_nnunet", quality)
    words = [
        str(tmp_path / "case.nii.gz"),
        str(tmp_path / "case_0000.nii.gz"),
        "-d",
        "801",
        "--work",
        str(tmp_path / "work"),
    ]
    monkeypatch.setattr(sys, "argv", ["quality_damage.py", *words])
    assert script.main() == status
    printed = capsys.readouterr().out
    assert "| nothing | poor | 0.25 | mark of nothing |" in printed
    assert printed.endswith("not found: kidneys swapped\n" if status else "not found: none\n")
