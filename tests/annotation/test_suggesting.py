"""``mass_nnunet suggest``: its files, with and without a model, and what it refuses."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.data.raw import RawDataset
from tiny_group import CT, MRI, copied, entry


@pytest.fixture
def trained_root(trained, tmp_path, monkeypatch):
    """A copy of the group with a model."""
    return copied(trained, tmp_path / "group", monkeypatch)


def suggest(folder, *words):
    return main(["suggest", "-np", "1", "-o", str(folder / "list.html"), *words])


def listed(folder):
    return json.loads((folder / "list.json").read_text())


def test_by_coverage(pair, tmp_path, capsys):
    assert suggest(tmp_path, "-d", "801", "802", "-n", "3") == 0
    found = listed(tmp_path)
    assert (found["model"], found["fold"], len(found["scans"])) == (None, 0, 3)
    table = pd.read_csv(tmp_path / "list.csv")
    assert table["case"].tolist() == [scan["case"] for scan in found["scans"]]
    page = (tmp_path / "list.html").read_text()
    assert page.count("<img") == 3
    assert "mass_nnunet suggest -d 801 802 -n 3 -f 0 --export FOLDER" in page
    first = found["scans"][0]
    assert f"  1. {first['case']} ({first['modality']}): {first['reason']}\n" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["group", "list.csv", "list.html", "list.json"]


def test_a_model_weighs_and_its_predictions_are_exported(trained_root, tmp_path):
    words = ("-tr", "MASSTrainer", "-device", "cpu", "--export", str(tmp_path / "out"))
    assert suggest(tmp_path, "-d", "801", "802", "-n", "2", *words) == 0
    found = listed(tmp_path)
    assert found["model"] == "MASSTrainer, MASSPlans, fold 0"
    assert all(0 <= scan["uncertainty"] <= 1 for scan in found["scans"])
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["fold"] == 0
    assert [(one["dataset"], one["case"]) for one in record["cases"]] == [
        (scan["dataset"], scan["case"]) for scan in found["scans"]
    ]
    never = {case for name in (CT, MRI) for part in ("train", "val") for case in entry(trained_root, name)[part]}
    assert not {scan["case"] for scan in found["scans"]} & never
    for scan in found["scans"]:
        label = sitk.ReadImage(str(tmp_path / "out" / scan["dataset"] / f"{scan['case']}_label.nii.gz"))
        image = sitk.ReadImage(str(tmp_path / "out" / scan["dataset"] / f"{scan['case']}.nii.gz"))
        assert label.GetSize() == image.GetSize()
        assert set(np.unique(sitk.GetArrayFromImage(label))) <= set(RawDataset.load(801).labels.values())
    page = (tmp_path / "list.html").read_text()
    assert f"mass_nnunet annotate-in {tmp_path / 'out'} -d 801 802" in page
    assert "uncertainty of MASSTrainer, MASSPlans, fold 0" in page


def test_without_splits_the_export_knows_of_no_fold(pair, tmp_path):
    for name in (CT, MRI):
        (pair / "preprocessed" / name / "splits_final.json").unlink()
    assert suggest(tmp_path, "-d", "802", "-n", "9", "--export", str(tmp_path / "out")) == 0
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (record["fold"], [one["case"] for one in record["cases"]]) == (None, ["mrun"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-n", "0"), "-n 0 is not at least 1"),
        (("-np", "0"), "-np 0 is not at least 1"),
        (("-f", "5"), r"fold 5 does not exist in \S*splits_final.json"),
        (("-tr", "MASSTrainer", "-device", "cpu"), r"fold_0/checkpoint_final.pth does not exist: train the model"),
        (("--export", "."), "is not empty, and corrected labels in it would be lost"),
        (("-o", "list.json"), "-o list.json is not an HTML file: give a name that ends with .html"),
        (("-o", "list.csv"), "-o list.csv is not an HTML file"),
    ],
)
def test_what_is_refused_in_one_line_and_writes_nothing(pair, tmp_path, capsys, words, message):
    before = sorted(tmp_path.rglob("*"))
    assert suggest(tmp_path, "-d", "801", *words) == 2
    error = capsys.readouterr().err.splitlines()
    assert re.search(message, error[-1])
    assert sorted(tmp_path.rglob("*")) == before
