"""mass_nnunet.data.raw: reading a raw dataset, and saying what is wrong with it."""

import json
import shutil

import pytest

from mass_nnunet.data.raw import TEST, TRAINING, UNLABELLED, Part, RawDataset, licence_of, reference_of
from mass_nnunet.errors import UserError
from mass_nnunet.export.shared_model import stated_licence
from tiny_raw import write_raw_dataset


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    patients = {"a_1": "a", "a_2": "a", "b_1": "b", "c_1": "c"}
    return write_raw_dataset(tmp_path, "Dataset801_A", "CT", ["a_2", "a_1"], ["b_1"], ["c_1"], patients=patients)


def test_cases_and_files_of_each_part(raw):
    dataset = RawDataset.load(801)
    assert dataset.name == "Dataset801_A" and dataset.channels == ["CT"]
    assert [dataset.cases(part) for part in (TRAINING, UNLABELLED, TEST)] == [["a_1", "a_2"], ["b_1"], ["c_1"]]
    assert dataset.images(UNLABELLED, "b_1") == [raw / "imagesUn" / "b_1_0000.nii.gz"]
    assert dataset.patients() == {"a_1": "a", "a_2": "a", "b_1": "b", "c_1": "c"}


def test_label_maps_of_each_part(raw):
    dataset = RawDataset.load(801)
    assert dataset.label_folder(TEST) == raw / "labelsTs"
    assert dataset.label_path(TRAINING, "a_1") == raw / "labelsTr" / "a_1.nii.gz"
    assert dataset.label(TRAINING, "a_1") == raw / "labelsTr" / "a_1.nii.gz"
    assert dataset.label(TEST, "absent") is None
    assert dataset.label(UNLABELLED, "b_1") is None
    with pytest.raises(ValueError, match="imagesUn has no label maps"):
        dataset.label_path(UNLABELLED, "b_1")


def test_a_part_is_its_folder_of_images(raw):
    assert f"{TEST}" == str(TEST) == "imagesTs"
    assert raw / TEST == raw / "imagesTs"
    assert json.dumps(TEST) == '"imagesTs"'
    assert [part.word for part in Part] == ["training", "test", "unlabelled"]


def test_licence_and_reference(raw):
    assert (RawDataset.load(801).licence, RawDataset.load(801).reference) == (None, None)
    content = json.loads((raw / "dataset.json").read_text()) | {"license": "CC0", "reference": "Doe et al."}
    (raw / "dataset.json").write_text(json.dumps(content))
    assert (RawDataset.load(801).licence, RawDataset.load(801).reference) == ("CC0", "Doe et al.")
    (raw / "dataset.json").write_text(json.dumps(content | {"licence": "CC BY 4.0"}))
    assert RawDataset.load(801).licence == "CC BY 4.0"  # nnU-Net's own key


def test_labels_are_in_the_order_of_their_values(raw):
    content = json.loads((raw / "dataset.json").read_text())
    content["labels"] = {"background": 0, "ignore": 3, "kidney": 2, "spleen": 1}
    (raw / "dataset.json").write_text(json.dumps(content, sort_keys=True))
    dataset = RawDataset.load(801)
    assert list(dataset.labels.items()) == [("background", 0), ("spleen", 1), ("kidney", 2)]
    assert list(dataset.values.items())[-1] == ("ignore", 3)


def test_without_patients_json_each_case_is_a_patient(raw):
    (raw / "patients.json").unlink()
    assert RawDataset.load(801).patients()["a_2"] == "a_2"


def test_no_scan_to_train_on(raw):
    for file in (raw / "imagesTr").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"imagesTr holds no \*_0000.nii.gz"):
        RawDataset.load(801).cases(TRAINING)


def test_a_folder_that_is_absent_holds_no_case(raw):
    (raw / "imagesUn" / "b_1_0000.nii.gz").unlink()
    (raw / "imagesUn").rmdir()
    assert RawDataset.load(801).cases(UNLABELLED) == []


def test_missing_channel(raw):
    content = json.loads((raw / "dataset.json").read_text())
    content["channel_names"]["1"] = "PET"
    (raw / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"b_1_0001.nii.gz does not exist"):
        RawDataset.load(801).images(UNLABELLED, "b_1")


def test_a_case_in_two_parts(raw):
    (raw / "imagesUn" / "c_1_0000.nii.gz").touch()
    with pytest.raises(UserError, match="c_1 is in imagesUn and in imagesTs"):
        RawDataset.load(801).patients()


def test_a_case_without_patient(raw):
    (raw / "patients.json").write_text('{"a_1": "a", "a_2": "a", "c_1": "c"}')
    with pytest.raises(UserError, match="does not say whose scan b_1 is"):
        RawDataset.load(801).patients()


def test_incomplete_dataset_json(raw):
    (raw / "dataset.json").write_text('{"labels": {}, "file_ending": ".nii.gz"}')
    with pytest.raises(UserError, match="lacks channel_names, numTraining"):
        RawDataset.load(801)


def test_origin_of_a_dataset_json_that_others_have_written():
    content = {"license": ["CC-BY 4.0", "ODbL"], "reference": ["A 2001", "B 2002"]}
    assert (licence_of(content), reference_of(content)) == ("CC-BY 4.0; ODbL", "A 2001; B 2002")
    assert licence_of({"licence": "", "license": "MIT"}) == "MIT" and reference_of({"reference": []}) is None
    assert stated_licence({"A": content, "B": content}) == "CC-BY 4.0; ODbL"


@pytest.mark.parametrize("part", ["imagesTr", "imagesUn", "imagesTs", "labelsTr", "labelsTs"])
def test_a_broken_link_in_any_part_is_named(raw, part):
    (raw / part / "z_0000.nii.gz").symlink_to(raw / "gone")
    with pytest.raises(UserError, match=f"{part}/z_0000.nii.gz is a broken link: repair or remove it"):
        RawDataset.load(801)
    shutil.rmtree(raw / part)
    (raw / part).symlink_to(raw / "gone")
    with pytest.raises(UserError, match=f"{part} is a broken link: repair or remove it"):
        RawDataset.load(801)


@pytest.mark.parametrize("name", ["dataset.json", "patients.json"])
def test_a_broken_link_is_not_taken_for_an_absent_file(raw, name):
    """Without patients.json each scan would be another patient's."""
    (raw / name).unlink()
    (raw / name).symlink_to(raw / "gone")
    with pytest.raises(UserError, match=f"{name} is a broken link"):
        RawDataset.load(801).patients()


def test_a_part_may_be_a_link(raw, tmp_path):
    for part in ("imagesTr", "labelsTs"):
        (raw / part).rename(tmp_path / part)
        (raw / part).symlink_to(tmp_path / part)
    dataset = RawDataset.load(801)
    assert dataset.cases(TRAINING) == ["a_1", "a_2"] and dataset.label(TEST, "c_1") == raw / "labelsTs/c_1.nii.gz"


def test_a_case_is_the_whole_name_but_ending_and_channel(raw):
    for case in ("1.3.6.1.ct", "1.3.6.2.ct"):
        (raw / "imagesUn" / f"{case}_0000.nii.gz").touch()
    assert RawDataset.load(801).cases(UNLABELLED) == ["1.3.6.1.ct", "1.3.6.2.ct", "b_1"]
    (raw / "imagesUn" / "liver.nii.gz").touch()
    with pytest.raises(UserError, match=r"liver.nii.gz has no channel in its name: rename it to liver_0000.nii.gz"):
        RawDataset.load(801)


def test_scans_in_other_letters_or_not_compressed_are_not_passed_over(raw):
    (raw / "imagesUn/d_0000.NII.GZ").touch()
    with pytest.raises(UserError, match=r"imagesUn/d_0000.NII.GZ does not end with .nii.gz .*: rename it"):
        RawDataset.load(801)


@pytest.mark.parametrize("text", ["[]", '"a"', "1"])
def test_patients_of_another_form(raw, text):
    (raw / "patients.json").write_text(text)
    with pytest.raises(UserError, match=r"patients.json is not of the form"):
        RawDataset.load(801).patients()


@pytest.mark.parametrize(("part", "other"), [("imagesTr", "a_1"), ("imagesTs", "c_1")])
def test_a_label_map_without_its_scan_is_named(raw, part, other):
    """The scan may be there under a name with an error in it, and would be trained without its label."""
    RawDataset.load(801).check_label_maps()
    (raw / part / f"{other}_0000.nii.gz").unlink()
    line = f"{other}.nii.gz has no scan {other}_0000.nii.gz that it belongs to: add the scan, correct a name, or remove"
    with pytest.raises(UserError, match=line):
        RawDataset.load(801).check_label_maps()


def test_a_label_map_of_a_scan_that_is_taken_without_labels_may_stay(raw):
    (raw / "imagesTr" / "a_1_0000.nii.gz").replace(raw / "imagesUn" / "a_1_0000.nii.gz")
    RawDataset.load(801).check_label_maps()
