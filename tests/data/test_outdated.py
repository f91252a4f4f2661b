"""Splits and arrays that are older than their dataset."""

import json

import pytest

from mass_nnunet.data.files import write_json
from mass_nnunet.data.outdated import changed_scans, check_splits, named, raw_dataset
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.sampled_folds import make_folds
from mass_nnunet.data.sources import stated, write_record
from mass_nnunet.data.splits import load_fold
from mass_nnunet.errors import UserError
from tiny_raw import write_raw_dataset

NAME = "Dataset801_A"
PATIENTS = {**{f"a{i}": f"p{i}" for i in range(4)}, "u0": "p0", "u1": "p1", "u2": "p2", "u3": "p3", "t": "t"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The dataset's preprocessed folder, split; a patient of each annotated scan has one without annotation."""
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    cases = [f"a{i}" for i in range(4)]
    write_raw_dataset(tmp_path / "raw", NAME, "CT", cases, [f"u{i}" for i in range(4)], ["t"], patients=PATIENTS)
    folds = make_folds(dataset(), [0.3, 1.0], 2, 0.25)
    write_json(tmp_path / "preprocessed" / NAME / "splits_final.json", [fold.as_entry() for fold in folds])
    return tmp_path / "preprocessed" / NAME


def dataset() -> RawDataset:
    return RawDataset.load(801)


def file(part: str, case: str):
    return dataset().folder / part / f"{case}_0000.nii.gz"


def test_splits_of_the_dataset_pass_though_scans_of_validation_patients_are_in_no_part(folder):
    check_splits(dataset(), folder)
    folds = json.loads((folder / "splits_final.json").read_text())
    assert any("u0" not in fold["unlabelled"] for fold in folds)


@pytest.mark.parametrize(("part", "case"), [("imagesTr", "a0"), ("imagesTr", "a3"), ("imagesUn", "u1")])
def test_a_scan_that_was_removed_is_named(folder, part, case):
    file(part, case).unlink()
    with pytest.raises(UserError, match=rf"fold \d in \S+splits_final.json has {case}, not in .*`mass_nnunet split`"):
        check_splits(dataset(), folder)


def test_a_training_scan_that_is_not_annotated_any_more_is_named(folder):
    file("imagesTr", "a0").rename(file("imagesUn", "a0"))
    with pytest.raises(UserError, match="has a0, not in imagesTr of"):
        check_splits(dataset(), folder)


def test_scans_that_were_added_are_counted(folder):
    for case in "bcde":
        PATIENTS[case] = case
        file("imagesTr", case).write_bytes(b"")
    write_json(dataset().folder / "patients.json", PATIENTS)
    with pytest.raises(UserError, match=r"^4 scans of \S+ \(b, c, d, ...\) not in fold 0 of .*`mass_nnunet split`"):
        check_splits(dataset(), folder)


def test_no_splits_and_splits_of_others_are_not_looked_at(folder):
    file("imagesTr", "a0").unlink()
    write_json(folder / "splits_final.json", [{"train": ["a0"], "val": ["a1"]}])
    check_splits(dataset(), folder)
    (folder / "splits_final.json").unlink()
    check_splits(dataset(), folder)


def test_a_raw_dataset_without_scans_is_none(folder, tmp_path, monkeypatch):
    assert raw_dataset(NAME) == dataset()
    assert raw_dataset("Dataset809_B") is None
    (tmp_path / "raw" / NAME).rename(tmp_path / "raw" / "gone")
    (tmp_path / "raw" / NAME).mkdir()
    (tmp_path / "raw" / NAME / "dataset.json").write_bytes((tmp_path / "raw" / "gone" / "dataset.json").read_bytes())
    assert raw_dataset(NAME) is None
    monkeypatch.delenv("nnUNet_raw")
    assert raw_dataset(NAME) is None


def test_few_scans_are_all_named():
    assert named(["a", "b", "c"]) == "a, b, c"
    assert named(["a", "b", "c", "d"]) == "a, b, c, ..."


def test_what_was_annotated_has_changed(folder):
    case = json.loads((folder / "splits_final.json").read_text())[0]["train"][0]
    write_json(dataset().folder / "annotated.json", {case: ["liver"]})
    with pytest.raises(UserError, match=rf"fold 0 in .* is older than \S+annotated.json, of {case}: run"):
        check_splits(dataset(), folder)


def test_a_patient_on_two_sides_is_named(folder):
    """Scans of one patient on both sides make the validation better than the model."""
    folds = json.loads((folder / "splits_final.json").read_text())
    hidden, validated = folds[0]["unlabelled"][0], folds[0]["val"][0]
    write_json(dataset().folder / "patients.json", PATIENTS | {hidden: PATIENTS[validated]})
    with pytest.raises(UserError, match=rf"^fold 0 .*: {hidden} is in training, but its patient .* is validated on"):
        check_splits(dataset(), folder)
    write_json(dataset().folder / "patients.json", PATIENTS | {"t": PATIENTS[hidden]})
    with pytest.raises(UserError, match=rf"is there to train on, but patient {PATIENTS[hidden]} is in imagesTs \(t\)"):
        check_splits(dataset(), folder)


def test_changed_files_are_found_and_those_of_hidden_labels_are_not_looked_at(folder):
    fold, outside = load_fold(folder, 0), folder / "pseudo"
    annotated, hidden, unlabelled = fold.train[0], fold.unlabelled[0], fold.unlabelled[-1]
    assert hidden.startswith("a") and unlabelled.startswith("u")
    label = dataset().folder / "pseudo" / f"{unlabelled}.nii.gz"
    label.parent.mkdir()
    label.write_bytes(b"label")
    made = {
        folder / "arrays" / f"{annotated}.b2nd": [file("imagesTr", annotated), labels(annotated)],
        folder / "arrays" / f"{hidden}.b2nd": [file("imagesTr", hidden), labels(hidden)],
        folder / "unlabelled" / f"{unlabelled}.b2nd": [file("imagesUn", unlabelled)],
        outside / f"{unlabelled}.b2nd": [file("imagesUn", unlabelled), label],
    }
    for array, files in made.items():
        write_record(array.parent, array.name.removesuffix(".b2nd"), stated(files))
    arrays = [*made, folder / "arrays" / f"{annotated}_seg.b2nd"]

    def changed() -> list[str]:
        return changed_scans(fold, dataset(), arrays, outside)

    assert changed() == [unlabelled]  # its label of another tool is new
    (outside / f"{unlabelled}.b2nd").write_bytes(b"array")
    assert changed() == []
    labels(hidden).write_bytes(b"another")
    assert changed() == []
    labels(annotated).write_bytes(b"another")
    assert changed() == [annotated]
    label.unlink()
    assert changed() == [annotated, unlabelled]
    file("imagesTr", hidden).write_bytes(b"another")
    assert changed() == [annotated, hidden, unlabelled]


def labels(case: str):
    return dataset().folder / "labelsTr" / f"{case}.nii.gz"
