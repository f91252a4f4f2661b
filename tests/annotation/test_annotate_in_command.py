"""``mass_nnunet annotate-in``: the folds that it writes, and what it refuses."""

import json

import pytest
import SimpleITK as sitk

from exported_scans import HIDDEN, contents, correct, label_file, take_in
from mass_nnunet.cli import main
from mass_nnunet.data.outdated import check_splits
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.runtime.lock import Lock
from tiny_group import CT, MODEL, MRI, entry


def test_labels_and_scans_become_training_data_and_former_folds_stay(pair, folder, capsys):
    before = {name: [entry(pair, name, fold) for fold in (0, 1)] for name in (CT, MRI)}
    hidden = (pair / "raw" / CT / "labelsTr" / f"{HIDDEN}.nii.gz").read_bytes()
    assert take_in(folder) == 0
    output = capsys.readouterr().out
    assert "took in the labels of ctun, ct1, mrun\n" in output
    assert "fold 2 trains on them; the folds before it, and their models, stay as they are\n" in output
    assert "next: mass_nnunet plan -d 801 802" in output
    for name, cases in ((CT, {"ctun", HIDDEN}), (MRI, {"mrun"})):
        raw, first = pair / "raw" / name, before[name][0]
        assert [entry(pair, name, fold) for fold in (0, 1)] == before[name]
        new = entry(pair, name, 2)
        assert set(new["train"]) == {*first["train"], *cases}
        assert set(new["unlabelled"]) == {*first["unlabelled"]} - cases
        assert (new["val"], new["seed"], new["extends"]) == (first["val"], 0, 0)
        for case in cases:
            assert not (raw / "imagesUn" / f"{case}_0000.nii.gz").exists()
            scan = sitk.ReadImage(str(raw / "imagesTr" / f"{case}_0000.nii.gz"))
            label = sitk.ReadImage(str(raw / "labelsTr" / f"{case}.nii.gz"))
            assert label.GetSize() == scan.GetSize()
            expected = sitk.ReadImage(str(label_file(folder, name, case)))
            assert (sitk.GetArrayFromImage(label) == sitk.GetArrayFromImage(expected)).all()
        dataset = RawDataset.load(int(name[7:10]))
        assert dataset.content["numTraining"] == len(dataset.cases("imagesTr"))
        check_splits(dataset, pair / "preprocessed" / name)
    assert (pair / "raw" / CT / "labelsReplaced" / f"1_{HIDDEN}.nii.gz").read_bytes() == hidden


def test_without_splits_there_is_no_fold_to_extend(pair, folder, capsys):
    for name in (CT, MRI):
        (pair / "preprocessed" / name / "splits_final.json").unlink()
    assert take_in(folder) == 0
    output = capsys.readouterr().out
    assert "next: mass_nnunet split -d 801 802 --label-rates 1.0\nthen: mass_nnunet plan" in output
    assert main(["split", "-d", "801", "802", "--label-rates", "1.0"]) == 0
    assert {"ctun", HIDDEN} <= {*entry(pair, CT)["train"], *entry(pair, CT)["val"]}
    assert take_in(folder, "-d", "802") == 0
    assert "were taken in before" in capsys.readouterr().out


def test_a_dataset_without_a_validation_scan_is_to_be_split_again(pair, folder, capsys):
    file = pair / "preprocessed" / MRI / "splits_final.json"
    folds = json.loads(file.read_text())
    for fold in folds:
        everything = sorted([*fold["train"], *fold["val"], *fold["unlabelled"]])
        fold.update(train=[], val=[], unlabelled=everything)
    file.write_text(json.dumps(folds))
    before = file.read_text()
    for _ in range(2):
        assert take_in(folder, "-d", "802") == 0
        output = capsys.readouterr().out
        assert "a dataset has no annotated scan to validate on: its folds cannot be extended, split again" in output
        assert file.read_text() == before
    assert (pair / "raw" / MRI / "labelsTr" / "mrun.nii.gz").exists()


def test_a_scan_whose_patient_another_fold_validates_on_is_validated_on_there(pair, folder, capsys):
    file = pair / "preprocessed" / CT / "splits_final.json"
    folds = json.loads(file.read_text())
    patients = {case: case for case in (*RawDataset.load(801).patients(),)} | {"ctun": "ct0"}
    other = {**folds[0], "seed": 1, "train": ["ct3"], "val": ["ct0"], "unlabelled": ["ct1", "ct2", "ct4", "ctzz"]}
    file.write_text(json.dumps([*folds, other]))
    mri = pair / "preprocessed" / MRI / "splits_final.json"
    mri.write_text(json.dumps([*json.loads(mri.read_text()), entry(pair, MRI)]))
    (pair / "raw" / CT / "patients.json").write_text(json.dumps(patients))
    assert take_in(folder) == 0
    output = capsys.readouterr().out
    assert f"fold 2 of {CT} validates on ctun from now on, because" in output
    assert "fold 3 trains on them; the other folds before it, and their models, stay as they are\n" in output
    assert entry(pair, CT, 2)["val"] == ["ct0", "ctun"]
    assert "ctun" in entry(pair, CT, 3)["train"]
    check_splits(RawDataset.load(801), pair / "preprocessed" / CT)


def test_structures_that_were_annotated(pair, folder, capsys):
    assert take_in(folder, "--structures", "liver", "-d", "802") == 0
    assert json.loads((pair / "raw" / MRI / "annotated.json").read_text()) == {"mrun": ["liver"]}
    assert entry(pair, MRI, 2)["annotated"] == {"mrun": ["liver"]}
    check_splits(RawDataset.load(802), pair / "preprocessed" / MRI)
    correct(folder, MRI, "mrun", value=2, start=(2, 20, 4))
    assert take_in(folder, "-d", "802") == 0  # now of all
    assert json.loads((pair / "raw" / MRI / "annotated.json").read_text()) == {}
    assert "annotated" not in entry(pair, MRI, 2)
    file = pair / "preprocessed" / CT / "splits_final.json"
    folds = json.loads(file.read_text())
    folds[1] = {**folds[1], "val": [HIDDEN], "train": sorted({*folds[1]["train"], *folds[1]["val"]} - {HIDDEN})}
    file.write_text(json.dumps(folds))
    assert take_in(folder, "--structures", "liver", "-d", "801") == 2
    assert f"fold 1 of {file} validates on the patient of {HIDDEN}" in capsys.readouterr().err


def test_a_fold_with_hidden_slices_is_refused(pair, folder, capsys):
    assert main(["split", "-d", "801", "802", "--label-rates", "0.25", "1.0", "--sparse", "3"]) == 0
    before = contents(pair)
    assert take_in(folder) == 2
    error = capsys.readouterr().err
    assert "was made by `split --sparse 3`, and would use one of 3 slices of the new labels: split again" in error
    assert contents(pair) == before


def test_an_empty_label_that_was_not_changed_is_not_accepted(pair, folder, capsys):
    correct(folder, MRI, "mrun", value=0)
    before = contents(pair)
    assert take_in(folder, "--accept", "mrun") == 2
    assert f"--accept mrun: {label_file(folder, MRI, 'mrun')} is empty: annotate the scan\n" in capsys.readouterr().err
    assert contents(pair) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-d", "803"), "out has no scan of dataset 803: it has scans of 801 and 802"),
        (("--accept", "ct9"), "--accept ct9: "),
        (("--structures", "heart"), "--structures heart is none of Dataset801_CTS"),
    ],
)
def test_wrong_options_are_refused_and_change_nothing(pair, folder, capsys, words, message):
    before = contents(pair)
    assert take_in(folder, *words) == 2
    assert message in capsys.readouterr().err
    assert contents(pair) == before


def test_one_wrong_label_of_several_is_named_and_nothing_is_changed(pair, folder, capsys):
    correct(folder, CT, HIDDEN, value=7)
    before = contents(pair)
    assert take_in(folder) == 2
    assert f"{HIDDEN}_label.nii.gz has value 7, which dataset.json does not name" in capsys.readouterr().err
    assert contents(pair) == before


def test_nothing_is_taken_in_while_a_training_runs(pair, folder, capsys):
    before = contents(pair)
    with Lock.take(pair / "results" / CT / MODEL / "fold_0", tidy=True):
        assert take_in(folder, "-d", "802") == 2
    assert "belongs to another training: start again when that has ended" in capsys.readouterr().err
    assert contents(pair) == before


def test_scans_that_were_left_out_are_noted(pair, folder, capsys):
    correct(folder, MRI, "mrun", value=0)
    assert take_in(folder) == 0
    assert "note: " in (output := capsys.readouterr().out)
    assert "mrun_label.nii.gz is as it was exported: the scan is left out\n" in output
    assert (pair / "raw" / MRI / "imagesUn" / "mrun_0000.nii.gz").exists()
