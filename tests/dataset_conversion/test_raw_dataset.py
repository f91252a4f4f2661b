import re
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

from converting import contents, convert, error_of
from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.volume import read_volume
from mass_nnunet.dataset_conversion.datasets import btcv
from mass_nnunet.labels import LABELS
from native_trees import (
    BTCV_VALUES,
    btcv_tree,
    mirrored,
    organs,
    same_content,
    scan,
    write_amos_case,
    write_btcv_case,
    write_chaos_patient,
)

pytestmark = pytest.mark.usefixtures("raw")


def test_btcv_becomes_a_dataset_that_nnunet_accepts(tmp_path, raw, capsys):
    assert main(["convert", "btcv", str(btcv_tree(tmp_path / "src")), "-d", "801"]) == 0
    folder = raw / "Dataset801_BTCV"
    verify_dataset_integrity(str(folder), 1)
    assert read_json(folder / "dataset.json", "") == {
        "channel_names": {"0": "CT"},
        "labels": LABELS,
        "numTraining": 4,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "NibabelIOWithReorient",
        "licence": btcv.LICENCE,
        "reference": btcv.REFERENCE,
    }
    files = contents(folder)
    assert {name: len(names) for name, names in files.items()} == {
        **{"imagesTr": 4, "labelsTr": 4, "imagesTs": 1, "labelsTs": 1},
        "imagesUn": 1,
    }
    assert files["imagesUn"] == ["btcv_0061_0000.nii.gz"]
    names = [name.removesuffix(".nii.gz") for name in files["labelsTr"] + files["labelsTs"]]
    assert read_json(folder / "patients.json", "") == {name: name for name in [*sorted(names), "btcv_0061"]}
    for part in ("Tr", "Ts"):
        for name in files[f"labels{part}"]:
            number = int(name[5:9])
            image = read_volume(folder / f"images{part}" / f"btcv_{number:04d}_0000.nii.gz")
            label = read_volume(folder / f"labels{part}" / name)
            assert same_content(image, scan(number))
            assert same_content(label, organs(LABELS))
            assert (image.GetPixelID(), label.GetPixelID()) == (sitk.sitkInt16, sitk.sitkUInt8)
            for volume in (
                folder / f"images{part}" / f"btcv_{number:04d}_0000.nii.gz",
                folder / f"labels{part}" / name,
            ):
                assert nibabel.aff2axcodes(nibabel.load(volume).affine) == ("R", "A", "S")
    printed = capsys.readouterr().out
    assert re.search(r"scans  patients  errors  warnings\s+voxels z y x .*\ntraining +4 +4 +0 +4 +6 24 24", printed)
    assert f"wrote {folder}" in printed
    record = read_json(folder / "check.json", "")
    assert record["btcv_0061"]["part"] == "unlabelled"
    assert (folder / "overview.png").stat().st_size > 10_000
    assert [path.name for path in raw.iterdir()] == [folder.name]


def test_chaos_with_all_sequences(tmp_path, raw, capsys):
    for number in (1, 2, 3):
        write_chaos_patient(tmp_path / f"src/Train_Sets/MR/{number}", seed=number)
    write_chaos_patient(tmp_path / "src/Test_Sets/MR/4", grays=None)
    assert convert("chaos", tmp_path / "src", "-d", 802, "--sequences", "T2SPIR", "T1IN", "T1OUT") == 0
    folder = raw / "Dataset802_CHAOS"
    verify_dataset_integrity(str(folder), 1)
    files = contents(folder)
    assert files["imagesUn"] == [f"chaos_04_{sequence}_0000.nii.gz" for sequence in ("T1IN", "T1OUT", "T2SPIR")]
    tested = {name[:8] for name in files["labelsTs"]}
    assert len(tested) == 1
    assert len(files["labelsTs"]) == 3
    assert tested.isdisjoint(name[:8] for name in files["labelsTr"])
    assert read_json(folder / "dataset.json", "")["channel_names"] == {"0": "MRI"}
    assert read_json(folder / "patients.json", "")["chaos_01_T1IN"] == "chaos_01"
    for name in files["labelsTr"]:
        image = read_volume(folder / "imagesTr" / name.replace(".nii", "_0000.nii"))
        assert same_content(image, scan(int(name[6:8])) + (5 if "OUT" in name else 0))
        assert same_content(read_volume(folder / "labelsTr" / name), organs(LABELS))


def test_every_bad_case_is_told_at_once(tmp_path, raw, capsys):
    btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    write_btcv_case(tmp_path / "src", 3, scan(3), organs(BTCV_VALUES, {}))
    write_btcv_case(tmp_path / "src", 4, scan(4)[1:], organs(BTCV_VALUES))
    assert convert("btcv", tmp_path / "src", "-d", 801) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert [re.search(r"label000\d", line)[0] for line in errors] == ["label0003", "label0004"]
    assert contents(raw) == {".tmp-Dataset801_BTCV": ["cases"]}
    # What was wrong can be left out, and what was right is not done again.
    done = raw / ".tmp-Dataset801_BTCV/cases/btcv_0001_0000.nii.gz"
    inode = done.stat().st_ino
    assert convert("btcv", tmp_path / "src", "-d", 801, "--exclude", "btcv_0003", "btcv_0004") == 0
    (kept,) = (raw / "Dataset801_BTCV").rglob(done.name)
    assert kept.stat().st_ino == inode


def test_wrong_side_names_case_and_file(tmp_path, raw, capsys):
    btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    write_btcv_case(tmp_path / "src", 3, mirrored(scan()), mirrored(organs(BTCV_VALUES)))
    line = error_of(capsys, "btcv", tmp_path / "src", "-d", 801)
    assert re.search(r"btcv_0003 \(.*label0003.nii.gz\): the right kidney is not to .*correct or remove", line)
    assert not list(raw.glob("Dataset*"))


def test_the_same_image_to_train_and_to_test_on(tmp_path, raw, capsys):
    source = tmp_path / "src"
    for part, number in (("Tr", 1), ("Tr", 2), ("Va", 3), ("Tr", 500), ("Va", 501)):
        write_amos_case(source, part, number, scan(number), organs(BTCV_VALUES))
    write_amos_case(source, "Ts", 4, sitk.DICOMOrient(scan(3), "LAS"))
    line = error_of(capsys, "amos", source, "-d", 803, 804)
    assert re.search(r"amos_0004 .*amos_0004.nii.gz is the same image as .*amos_0003.nii.gz, one to train", line)
    assert not list(raw.glob("Dataset*"))
    assert convert("amos", source, "-d", 803, 804, "--exclude", "amos_0004") == 0
    assert sorted(path.name for path in raw.iterdir()) == ["Dataset803_AMOSCT", "Dataset804_AMOSMRI"]


def test_cases_that_cannot_be_left_out(tmp_path, raw, capsys):
    source = btcv_tree(tmp_path / "src", labelled=1, unlabelled=0)
    assert "--exclude btcv_0004: there is no case" in error_of(
        capsys, "btcv", source, "-d", 801, "--exclude", "btcv_0004"
    )
    line = error_of(capsys, "btcv", source, "-d", 801, "--exclude", "btcv_0001")
    assert "--exclude leaves nothing of BTCV" in line


def test_a_dataset_that_is_there(tmp_path, raw, capsys):
    source = btcv_tree(tmp_path / "src")
    assert convert("btcv", source, "-d", 801) == 0
    times = {path: path.stat().st_mtime_ns for path in raw.rglob("*")}
    assert convert("btcv", source, "-d", 801) == 0
    assert "is already there, made of the same files with the same options" in capsys.readouterr().out
    for option in (("--test-fraction", 0.5), ("--seed", 1), ("--keep-partial",), ("--exclude", "btcv_0001")):
        line = error_of(capsys, "btcv", source, "-d", 801, *option)
        assert re.search(r"Dataset801_BTCV is of an earlier conversion .*delete .*Dataset801_BTCV first", line)
    (raw / "Dataset801_BTCV/conversion.json").unlink()
    assert "was not made by this command: delete" in error_of(capsys, "btcv", source, "-d", 801)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items() if path.is_file())


def test_a_dataset_of_an_earlier_version_is_refused_in_one_line(tmp_path, raw, capsys):
    """Its record has no version, and digests of the ``repr`` of the cases."""
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    assert convert("btcv", source, "-d", 801) == 0
    record = raw / "Dataset801_BTCV/conversion.json"
    content = read_json(record, "")
    assert content.pop("version") == 2
    write_json(record, content)
    line = error_of(capsys, "btcv", source, "-d", 801)
    assert re.search(r"Dataset801_BTCV was converted by another version .* fit for use.*: to .* again delete", line)


def test_a_licence_that_is_stated_later_has_to_be_written_by_hand(tmp_path, raw, capsys):
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    assert convert("btcv", source, "-d", 801) == 0
    path = raw / "Dataset801_BTCV/dataset.json"
    content = read_json(path, "")
    write_json(path, {key: value for key, value in content.items() if key != "reference"})
    assert "dataset.json does not state the reference 'Landman et al." in error_of(capsys, "btcv", source, "-d", 801)
    write_json(path, content | {"licence": f"{content['licence']}; of other scans: none"})
    assert convert("btcv", source, "-d", 801) == 0


def test_a_phantom_has_the_layout_of_btcv_but_not_its_licence(tmp_path, raw):
    source = btcv_tree(tmp_path / "out/BTCV", labelled=2, unlabelled=0)
    (tmp_path / "out/phantom.json").write_text("{}")
    assert convert("btcv", source, "-d", 801) == 0
    content = read_json(raw / "Dataset801_BTCV/dataset.json", "")
    assert content["licence"] == "free to use: a synthetic phantom, no patient's scans"
    assert content["reference"] == "synthetic phantom of `mass_nnunet phantom`"


def test_bad_input_is_one_line(tmp_path, raw, capsys):
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    assert "absent is neither a folder nor a zip archive" in error_of(capsys, "btcv", tmp_path / "absent", "-d", 801)
    assert "holds no CHAOS MRI of T2SPIR" in error_of(capsys, "chaos", source, "-d", 802)
    assert "--test-fraction 1.0 is not" in error_of(capsys, "btcv", source, "-d", 801, "--test-fraction", 1)
    assert "dataset id 1000 is not" in error_of(capsys, "btcv", source, "-d", 1000)
    capsys.readouterr()
    assert main(["convert", "btcv", str(source), "-d", "801", "-np", "0"]) == 2
    shutil.copytree(source, source / "copy")
    assert "btcv_0001 is there 2 times (" in error_of(capsys, "btcv", source, "-d", 801)
    shutil.rmtree(source / "copy")
    (raw / "Dataset801_Other").mkdir()
    assert "dataset id 801 is taken by Dataset801_Other" in error_of(capsys, "btcv", source, "-d", 801)
    assert not (raw / "Dataset801_BTCV").exists()


def test_damaged_file_in_a_worker_is_one_line(tmp_path, capsys):
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    image = source / "Training/img/img0002.nii.gz"
    image.write_bytes(image.read_bytes()[:-200])
    assert main(["convert", "btcv", str(source), "-d", "801", "-np", "2"]) == 2
    assert "img0002.nii.gz cannot be read" in capsys.readouterr().err


def test_values_survive(tmp_path, raw):
    """A 16-bit unsigned scan keeps its values, and noise below one gray level too."""
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    image = sitk.Cast(scan(7), sitk.sitkFloat32) + 0.25
    write_btcv_case(source, 3, image)
    assert convert("btcv", source, "-d", 801) == 0
    result = read_volume(raw / "Dataset801_BTCV/imagesUn/btcv_0003_0000.nii.gz")
    assert result.GetPixelID() == sitk.sitkFloat32
    assert np.isclose(
        np.sort(sitk.GetArrayFromImage(result).ravel()), np.sort(sitk.GetArrayFromImage(image).ravel())
    ).all()
