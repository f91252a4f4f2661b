import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.datasets.totalsegmentator import parse_structures, read_parts, targets
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import STRUCTURES, organs, same_content, scan, source, write_subject

TABLE = "\ufeffimage_id;age;gender;institute;study_type;split\r\n"  # the release has a byte order mark


def write_table(root: Path, **parts: str) -> None:
    rows = [f"{name};60;m;A;ct abdomen;{part}\r\n" for name, part in parts.items()]
    (root / "meta.csv").write_text(TABLE + "".join(rows), encoding="utf-8")


@pytest.fixture
def tree(tmp_path) -> Path:
    root = tmp_path / "Totalsegmentator_dataset_v201"
    for number in range(4):
        write_subject(root, f"s{number:04d}")
    write_table(root, s0000="train", s0001="val", s0002="test", s0003="train")
    return tmp_path


def options(*labels: str) -> Namespace:
    return Namespace(dataset_id=807, labels=labels or ["liver", "right_kidney=kidney_right"])


def test_scans_masks_and_parts(tree):
    (target,) = targets(source(tree), options(*(f"{organ}={file}" for organ, file in STRUCTURES.items())))
    assert (target.name, target.channel, target.labels) == ("TotalSegmentatorCT", "CT", LABELS)
    assert {case.name: case.part for case in target.cases} == {
        "s0000": Part.TRAINING,
        "s0001": Part.TRAINING,
        "s0002": Part.TEST,
        "s0003": Part.TRAINING,
    }
    image, label, _ = target.cases[1].read()
    assert same_content(image, scan(1))
    assert same_content(label, organs(LABELS))


def test_mri_without_a_table_of_parts(tmp_path):
    write_subject(tmp_path, "s0001", image="mri")
    (target,) = targets(source(tmp_path), options())
    assert (target.name, target.channel) == ("TotalSegmentatorMRI", "MRI")
    assert [case.part for case in target.cases] == [None]


def test_a_scan_without_a_mask_file_is_annotated_in_part(tree):
    folder = next(tree.rglob("s0003"))
    (folder / "segmentations/liver.nii.gz").unlink()
    cases = {case.name: case for case in targets(source(tree), options())[0].cases}
    assert [cases[name].complete for name in ("s0000", "s0003")] == [True, False]
    assert [path.name for path in cases["s0003"].files()] == ["ct.nii.gz", "kidney_right.nii.gz"]
    (folder / "segmentations/kidney_right.nii.gz").unlink()
    unlabelled = {case.name: case for case in targets(source(tree), options())[0].cases}["s0003"]
    assert (unlabelled.label, unlabelled.part) == (None, None)


def test_what_is_not_in_the_scan_is_background_and_scans_without_organs_are_left_out(tree, monkeypatch, capsys):
    root = next(tree.rglob("s0000")).parent
    write_subject(root, "s0004", shown=("liver",))
    write_subject(root, "s0005", shown=())
    write_subject(root, "s0006", shown=())
    (root / "s0006/segmentations/liver.nii.gz").unlink()  # not known to be outside
    monkeypatch.setenv("nnUNet_raw", str(tree / "raw"))
    assert main(["convert", "totalsegmentator", str(tree), "-d", "807", "-np", "1"]) == 0
    printed = capsys.readouterr().out
    folder = tree / "raw/Dataset807_TotalSegmentatorCT"
    names = {part: sorted(path.name[:5] for path in (folder / part).iterdir()) for part in ("imagesTr", "imagesUn")}
    assert names == {"imagesTr": ["s0000", "s0001", "s0003", "s0004"], "imagesUn": ["s0006"]}
    assert [path.name for path in (folder / "labelsTs").iterdir()] == ["s0002.nii.gz"]
    assert not (folder / "annotated.json").exists()
    label = sitk.ReadImage(str(folder / "labelsTr/s0004.nii.gz"))
    assert set(np.unique(sitk.GetArrayViewFromImage(label))) == {0, LABELS["liver"]}
    assert json.loads((folder / "dataset.json").read_text())["labels"] == LABELS
    assert "s0005" in printed
    assert "left out, as it shows none of the organs" in printed


def test_structures():
    assert parse_structures(["liver", "kidney=kidney_left,kidney_right"]) == {
        "liver": ("liver",),
        "kidney": ("kidney_left", "kidney_right"),
    }


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["liver=6;7"], "--labels liver=6;7 is not NAME or NAME=STRUCTURES"),
        (["liver", "liver=spleen"], "--labels names liver twice"),
        (["liver", "organ=liver"], "--labels takes liver for liver and for organ"),
    ],
)
def test_structures_that_cannot_be(labels, message):
    with pytest.raises(UserError, match=message):
        parse_structures(labels)


def test_what_is_not_there(tree, tmp_path):
    with pytest.raises(UserError, match=r"holds no TotalSegmentator scan: expected s0000/ct.nii.gz"):
        targets(source(tmp_path / "raw"), options())
    with pytest.raises(UserError, match=r"no scan of .* has segmentations/milz.nii.gz: name in --labels"):
        targets(source(tree), options("spleen=milz"))
    write_subject(tree, "s0009", image="mri")
    with pytest.raises(UserError, match="holds CT and MRI: give the folder of one release at a time"):
        targets(source(tree), options())


@pytest.mark.parametrize("text", ["image_id,split\ns0000,train\n", TABLE + "s0000;60;m;A;ct abdomen;training\r\n"])
def test_a_damaged_table(tmp_path, text):
    (tmp_path / "meta.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"meta.csv has no '.*', but needs the columns image_id and split"):
        read_parts(tmp_path / "meta.csv")
