"""The command from folders to tables and a page; resumed, and blind to what it must not see."""

import json
import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from balanced import Balanced
from mass_nnunet.cli import main
from mass_nnunet.errors import UserError
from mass_nnunet.quality import branches, folder
from mass_nnunet.quality.assessment import Assessment, Organ
from mass_nnunet.quality.branches import Disagreement
from mass_nnunet.quality.estimator import Estimator
from quality_world import NAME, make_quick, write_scan
from region_group import CLASSES, give_regions


@pytest.fixture(autouse=True)
def quicker(monkeypatch):
    """How good the registration is does not matter here."""
    make_quick(monkeypatch)


def run(world, predictions, output, *options):
    images = str(world.raw / "imagesTs")
    return main(["quality", str(predictions), "--images", images, "-d", "801", "-o", str(output), *options])


def test_tables_and_page(world, environment, predictions, tmp_path, capsys):
    (predictions / "ct5.nii.gz").write_bytes((predictions / "ct4.nii.gz").read_bytes())  # of another scan
    validation = tmp_path / "validation"
    validation.mkdir()
    shutil.copy(world.raw / "labelsTr" / "ct2.nii.gz", validation)
    assert run(world, predictions, tmp_path / "out", "--validation", str(validation)) == 0
    printed = capsys.readouterr().out
    assert "ct5: " in printed
    assert "They come from 3 annotated patients, fewer than 9" in printed
    table = pd.read_csv(tmp_path / "out" / "quality.csv")
    assert list(table["case"].unique()) == ["ct5", "ct4"]  # what needs a look first
    assert table.loc[0, "verdict"] == "unusable"  # on another grid
    assert list(table["organ"][1:5]) == ["spleen", "right_kidney", "left_kidney", "liver"]
    assert table["dice"][1:].between(0, 1).all()
    content = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert [case["case"] for case in content["cases"]] == ["ct5", "ct4"]
    assert content["annotated_patients"] == 3
    page = (tmp_path / "out" / "quality.html").read_text()
    Balanced().feed(page)
    assert page.count("<img") == 1 + (tmp_path / "out" / "cases" / "ct5.jpg").is_file()


def test_where_labels_are_regions_their_values_are_assessed(world, environment, predictions, tmp_path):
    content = (world.raw / "dataset.json").read_text()
    give_regions(world.raw)
    assert run(world, predictions, tmp_path / "out") == 0
    (world.raw / "dataset.json").write_text(content)
    table = pd.read_csv(tmp_path / "out" / "quality.csv", dtype=str)
    assert set(table["organ"]) == set(CLASSES) - {"background"}


def test_pictures_of_the_first_cases_only(world, environment, predictions, tmp_path):
    out = tmp_path / "out"
    assert run(world, predictions, out, "--pictures", "1") == 0
    first = json.loads((out / "quality.json").read_text())["cases"][0]["case"]
    assert [file.stem for file in out.rglob("*.jpg")] == [first]
    assert "images of patients" in (out / "quality.html").read_text()
    assert run(world, predictions, out) == 0  # all that was kept
    assert len(list(out.rglob("*.jpg"))) == 2
    assert run(world, predictions, out, "--pictures", "0") == 0
    assert not list(out.rglob("*.jpg"))
    assert "images of patients" not in (out / "quality.html").read_text()


def test_a_killed_command_goes_on(world, environment, predictions, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run(world, predictions, out) == 0
    first = {file: file.read_bytes() for file in sorted(out.rglob("*.json"))}
    (out / "cases" / "ct4.json").unlink()
    done = []
    assess = folder.assess
    monkeypatch.setattr(folder, "assess", lambda case, *rest: done.append(case) or assess(case, *rest))
    monkeypatch.setattr(folder, "calibrate", None)  # kept
    assert run(world, predictions, out, "--pictures", "0") == 0
    assert done == ["ct4"]
    assert {file: file.read_bytes() for file in sorted(out.rglob("*.json"))} == first
    assert "<img" not in (out / "quality.html").read_text()
    assert not list(out.rglob(".tmp*"))


def test_no_test_label_and_no_hidden_label_is_read(world, environment, predictions, tmp_path, monkeypatch):
    raw = tmp_path / "raw" / NAME
    shutil.copytree(world.raw, raw)
    for hidden in (raw / "labelsTs" / "ct4.nii.gz", raw / "labelsTs" / "ct5.nii.gz", raw / "labelsTr" / "ct3.nii.gz"):
        hidden.write_bytes(b"whoever reads this fails")
    assert run(world, predictions, tmp_path / "one") == 0
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    assert run(world, predictions, tmp_path / "other") == 0
    for name in ("quality.csv", "quality.json", "calibration.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    # The annotations of the training and validation scans are what counts.
    scan = world.patients["ct2"]
    write_scan(raw / "labelsTr" / "ct2.nii.gz", np.array([0, 4, 2, 3, 1], np.uint8)[scan.organs], scan)
    assert run(world, predictions, tmp_path / "third") == 0
    assert (tmp_path / "one" / "quality.csv").read_bytes() != (tmp_path / "third" / "quality.csv").read_bytes()


def test_a_bad_file_is_a_mark_of_its_case(world, environment, predictions, tmp_path, capsys):
    (predictions / "ct4.nii.gz").write_bytes(b"no label map")
    assert run(world, predictions, tmp_path / "out") == 0
    content = json.loads((tmp_path / "out" / "quality.json").read_text())["cases"]
    assert content[0]["case"] == "ct4"
    assert content[0]["verdict"] == "unusable"
    assert content[0]["organs"] == []
    table = pd.read_csv(tmp_path / "out" / "quality.csv")
    assert table.loc[0, ["case", "verdict"]].tolist() == ["ct4", "unusable"]
    assert table.loc[0, ["organ", "dice", "dice_high", "volume_ml", "slice"]].isna().all()
    assert ", 1 unusable" in (tmp_path / "out" / "quality.html").read_text()
    assert "cannot be read" in content[0]["marks"][0]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda folder: shutil.rmtree(folder), [], "is not a folder: give the folder of the predictions"),
        (lambda folder: [file.unlink() for file in folder.iterdir()], [], "holds no *.nii.gz"),
        (lambda folder: (folder / "ct4.nii.gz").rename(folder / "x.nii.gz"), [], "x.nii.gz has no scan"),
        (lambda folder: None, ["--pictures", "-1"], "--pictures -1 is no number"),
        (lambda folder: None, ["--validation", "."], "has no prediction of a validation scan (ct2)"),
        (lambda folder: None, ["--compare", "."], "ct4.nii.gz does not exist: predict the same scans there"),
        (lambda folder: None, ["-f", "3"], "fold 3 does not exist"),
    ],
)
def test_wrong_requests_are_one_line(world, environment, predictions, tmp_path, capsys, change, options, message):
    change(predictions)
    assert run(world, predictions, tmp_path / "out", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_predictions_in_which_an_organ_has_another_value_are_refused(world, environment, predictions, tmp_path, capsys):
    (predictions / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1}}))
    assert run(world, predictions, tmp_path / "out") == 2
    assert f"error: {predictions / 'dataset.json'} has liver 1, and " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_other_predictions_count(world, environment, predictions, tmp_path, monkeypatch, capsys):
    (predictions / "ct5.nii.gz").unlink()
    other, out = tmp_path / "other", tmp_path / "out"
    other.mkdir()
    scan = world.patients["ct4"]
    write_scan(other / "ct4.nii.gz", np.where(scan.organs == 4, 0, scan.organs), scan)
    assert run(world, predictions, out) == 0
    alone = (out / "quality.csv").read_bytes()
    before = pd.read_csv(out / "quality.csv").set_index("organ")
    assert before["others_dice"].isna().all()
    assert "Dice with others" not in (out / "quality.html").read_text()
    (out / "cases" / "ct4.jpg").unlink()
    worst, draw = [], folder.draw_case
    monkeypatch.setattr(folder, "draw_case", lambda path, found, *rest: worst.append(found) or draw(path, found, *rest))
    monkeypatch.setattr(folder, "assess", lambda *_: pytest.fail("registered again"))
    assert run(world, predictions, out, "--compare", str(other)) == 0
    table = pd.read_csv(out / "quality.csv").set_index("organ")
    assert table["others_dice"].tolist() == [1, 1, 1, 0]
    np.testing.assert_allclose(table["dice"], (before["dice"] + table["others_dice"]) / 2, atol=1e-4)
    assert "Dice with others" in (out / "quality.html").read_text()
    assert [organ.dice for organ in worst[0].organs] == before["dice"].tolist()  # the same picture as without
    assert run(world, predictions, out) == 0  # nothing of the comparison is left
    assert (out / "quality.csv").read_bytes() == alone
    capsys.readouterr()
    for more in (predictions, predictions.parent / "other" / ".." / "predictions", other):
        assert run(world, predictions, out, "--compare", str(other), str(more)) == 2
        assert f"{more} is given twice" in capsys.readouterr().err
    shutil.copy(predictions / "ct4.nii.gz", other)
    assert run(world, predictions, out, "--compare", str(other)) == 0
    assert f"note: {other / 'ct4.nii.gz'} equals another segmentation" in capsys.readouterr().out
    assert (out / "quality.csv").read_bytes() == alone


def test_an_organ_that_nobody_segmented_stays_at_zero():
    organs = [
        Organ(name, dice, 0.0, 1.0, None, None, None, volume, 1.0, (0, 0, 0), (0.0, 0.0, 0.0))
        for name, dice, volume in (("spleen", 0.0, 0.0), ("liver", 0.8, 9.0), ("aorta", 0.7, 9.0))
    ]
    estimator = Estimator(np.zeros(2), np.ones(2), np.zeros(3), 0.5, 9)
    found = Assessment("a", tuple(organs), (), 0.6).with_others({"spleen": 1.0, "liver": 0.6}, estimator)
    spleen, liver, aorta = found.organs
    assert (spleen.dice, spleen.others_dice) == (0, 1)
    assert (liver.dice, liver.dice_low, liver.dice_high) == pytest.approx((0.7, 0.7 - 0.13, 0.7 + 0.13))
    assert aorta == organs[2]


def test_where_head_and_atlases_differ(world, environment, predictions, tmp_path, monkeypatch):
    (predictions / "ct5.nii.gz").unlink()
    (tmp_path / "model" / "fold_0").mkdir(parents=True)
    (tmp_path / "model" / "fold_0" / "checkpoint_final.pth").write_bytes(b"weights")
    asked = []
    monkeypatch.setattr(
        folder, "load_with_atlases", lambda results, fold, dataset: asked.append((results, fold)) or "model"
    )
    seen = {"liver": Disagreement(0.75, (1, 2, 3))}
    monkeypatch.setattr(branches, "disagreements", lambda model, files: asked.append((model, files)) or seen)
    out = tmp_path / "out"
    assert run(world, predictions, out) == 0
    alone = (out / "quality.csv").read_bytes()
    for name in ("assess", "draw_case"):  # what was found without a model is kept
        monkeypatch.setattr(folder, name, lambda *_, name=name: pytest.fail(f"{name} is called again"))
    for _ in range(2):  # the second one keeps what the model said
        assert run(world, predictions, out, "-m", str(tmp_path / "model")) == 0
    image = world.raw / "imagesTs" / "ct4_0000.nii.gz"
    assert asked == [(tmp_path / "model", 0), ("model", [image]), (tmp_path / "model", 0)]
    table = pd.read_csv(out / "quality.csv").set_index("organ")
    assert table.loc["liver", ["branches_dice", "branches_slice"]].tolist() == [0.75, 3]
    assert table["branches_dice"].count() == 1
    assert run(world, predictions, out) == 0
    assert (out / "quality.csv").read_bytes() == alone


def test_a_scan_that_a_model_cannot_read_is_marked_and_stays_estimated(tmp_path, monkeypatch):
    def fail(model, files):
        raise UserError(f"{files[-1]} cannot be read\ncopy it again")

    monkeypatch.setattr(branches, "disagreements", fail)
    dataset = SimpleNamespace(channels=["T1", "T2"], ending=".nii.gz")
    organ = Organ("liver", 0.9, 0.8, 1.0, None, None, None, 1.0, 1.0, (0, 0, 0), (0.0, 0.0, 0.0))
    one, unusable = Assessment("a", (organ,), ("small",)), Assessment("b", (), ("no scan",))
    pairs = dict.fromkeys("ab", (tmp_path / "a_0000.nii.gz", tmp_path / "a.nii.gz"))
    compared = partial(folder._with_branches, tmp_path / "branches", "weights", None, pairs, dataset)
    found = compared(one)
    assert found.marks == ("small", f"{tmp_path / 'a_0001.nii.gz'} cannot be read", "copy it again")
    assert found.organs == one.organs
    assert not (tmp_path / "branches").exists()  # looked at again by the next run
    assert compared(unusable) is unusable
