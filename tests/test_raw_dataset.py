import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

from mass_nnunet.cli import main
from mass_nnunet.dataset_conversion.volume import read_volume
from mass_nnunet.files import read_json
from mass_nnunet.organs import LABELS
from native_trees import (
    BOXES,
    BTCV_VALUES,
    CHAOS_GRAYS,
    btcv_tree,
    mirrored,
    organs,
    same_content,
    scan,
    write_btcv_case,
    write_chaos_patient,
    write_planes,
)


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch) -> Path:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path / "nnUNet_raw"


def convert(*arguments: object) -> int:
    # One process: no time to start others, and the coverage sees the work.
    return main(["convert", *map(str, arguments), "-np", "1"])


def error_of(capsys, *arguments: object) -> str:
    """The one line that a failing conversion prints."""
    capsys.readouterr()
    assert convert(*arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "mass_nnunet convert: error: " in line]
    return line


def contents(folder: Path) -> dict[str, list[str]]:
    return {sub.name: sorted(path.name for path in sub.iterdir()) for sub in folder.iterdir() if sub.is_dir()}


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
    assert "training       4 scans" in capsys.readouterr().out


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


def test_incomplete_and_empty_labels_become_unlabelled(tmp_path, raw, capsys):
    btcv_tree(tmp_path / "src", labelled=3, unlabelled=0)
    boxes = {organ: box for organ, box in BOXES.items() if organ != "right_kidney"}
    write_btcv_case(tmp_path / "src", 4, scan(), organs(BTCV_VALUES, boxes))
    write_btcv_case(tmp_path / "src", 5, scan(), organs(BTCV_VALUES, {}))
    assert convert("btcv", tmp_path / "src", "-d", 801) == 0
    files = contents(raw / "Dataset801_BTCV")
    assert files["imagesUn"] == ["btcv_0004_0000.nii.gz", "btcv_0005_0000.nii.gz"]
    assert len(files["labelsTr"] + files["labelsTs"]) == 3
    out = capsys.readouterr().out
    assert "btcv_0004 used without labels: no right_kidney in" in out
    assert "btcv_0005 used without labels: no spleen, right_kidney, left_kidney, liver in" in out


def test_unlabelled_scan_of_a_test_patient_is_left_out(tmp_path, raw, capsys):
    boxes = {organ: box for organ, box in BOXES.items() if organ != "liver"}
    for number in (1, 2):
        patient = write_chaos_patient(tmp_path / f"src/Train_Sets/MR/{number}")
        write_planes(organs(CHAOS_GRAYS, boxes), patient / "T1DUAL/Ground", "IMG-0004-{:05d}.png")
    assert convert("chaos", tmp_path / "src", "-d", 802, "--sequences", "T2SPIR", "T1IN") == 0
    files = contents(raw / "Dataset802_CHAOS")
    (tested,) = files["labelsTs"]
    (unlabelled,) = files["imagesUn"]
    assert tested[:8] != unlabelled[:8]
    assert f"{tested[:8]}_T1IN left out, as its patient is a test patient: no liver" in capsys.readouterr().out


def test_wrong_side_names_case_and_file(tmp_path, raw, capsys):
    btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    write_btcv_case(tmp_path / "src", 3, mirrored(scan()), mirrored(organs(BTCV_VALUES)))
    line = error_of(capsys, "btcv", tmp_path / "src", "-d", 801)
    assert "btcv_0003: the right kidney is not to the right" in line
    assert "label0003.nii.gz" in line
    assert not (raw / "Dataset801_BTCV/dataset.json").exists()


def test_killed_conversion_goes_on(tmp_path, raw, monkeypatch):
    source = btcv_tree(tmp_path / "src")
    assert convert("btcv", source, "-d", 801) == 0
    folder = raw / "Dataset801_BTCV"
    before = contents(folder)
    # As if killed while writing the last case.
    (folder / "dataset.json").unlink()
    (folder / "labelsTr" / before["labelsTr"][-1]).unlink()
    half = folder / "labelsTr" / f".tmp-1-{before['labelsTr'][-1]}"
    half.write_bytes(b"half")
    kept = folder / "imagesTr" / before["imagesTr"][0]
    written = kept.stat().st_mtime_ns
    assert convert("btcv", source, "-d", 801) == 0
    assert contents(folder) == before
    assert (folder / "dataset.json").exists()
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("option", [("--test-fraction", 0.5), ("--seed", 1)])
def test_other_options_never_mix_training_and_test(tmp_path, raw, capsys, option):
    source = btcv_tree(tmp_path / "src")
    assert convert("btcv", source, "-d", 801, "--seed", 0) == 0
    before = contents(raw / "Dataset801_BTCV")
    line = error_of(capsys, "btcv", source, "-d", 801, *option)
    assert "earlier conversion with other options" in line
    assert "delete" in line
    assert contents(raw / "Dataset801_BTCV") == before


def test_bad_input_is_one_line(tmp_path, raw, capsys):
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=0)
    assert "absent is not a folder" in error_of(capsys, "btcv", tmp_path / "absent", "-d", 801)
    assert "holds no CHAOS scan" in error_of(capsys, "chaos", source, "-d", 802)
    assert "--test-fraction 1.0 is not" in error_of(capsys, "btcv", source, "-d", 801, "--test-fraction", 1)
    assert "-d 1000 is not" in error_of(capsys, "btcv", source, "-d", 1000)
    capsys.readouterr()
    assert main(["convert", "btcv", str(source), "-d", "801", "-np", "0"]) == 2
    shutil.copytree(source, source / "copy")
    assert "btcv_0001 lies there 2 times" in error_of(capsys, "btcv", source, "-d", 801)
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
