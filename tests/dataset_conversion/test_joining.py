"""CHAOS CTs as more unlabelled scans of a CT dataset that is there."""

import json
from pathlib import Path

import pytest

from mass_nnunet.cli import main
from mass_nnunet.data.raw import UNLABELLED, RawDataset
from mass_nnunet.data.volume import read_volume
from mass_nnunet.dataset_conversion.datasets import btcv as btcv_module
from mass_nnunet.dataset_conversion.datasets import chaos
from native_trees import btcv_tree, same_content, scan, write_chaos_patient, write_slices


@pytest.fixture(autouse=True)
def raw(raw, tmp_path) -> Path:
    for number in (1, 5):
        write_slices(scan(100 + number), tmp_path / f"src/Train_Sets/CT/{number}/DICOM_anon", "i{:04d},0000b.dcm")
    return raw


@pytest.fixture
def btcv(tmp_path, raw) -> Path:
    assert main(["convert", "btcv", str(btcv_tree(tmp_path / "btcv")), "-d", "801", "-np", "1"]) == 0
    return raw / "Dataset801_BTCV"


def convert(tmp_path: Path, *options: str) -> int:
    return main(["convert", "chaos", str(tmp_path / "src"), *options, "-np", "1"])


def test_a_new_dataset_of_scans_without_labels(tmp_path, raw):
    assert convert(tmp_path, "--ct-dataset-id", "803") == 0
    folder = raw / "Dataset803_CHAOSCT"
    assert sorted(path.name for path in (folder / "imagesUn").iterdir()) == [
        *("chaos_ct_01_0000.nii.gz", "chaos_ct_05_0000.nii.gz")
    ]
    assert json.loads((folder / "dataset.json").read_text())["numTraining"] == 0
    assert main(["check", "-d", "803", "-np", "1"]) == 0
    assert convert(tmp_path, "--ct-dataset-id", "803") == 0  # nothing to do


def test_scans_join_a_dataset_that_is_there(tmp_path, btcv, capsys):
    assert convert(tmp_path, "--ct-dataset-id", "801") == 0
    assert "2 scans joined" in capsys.readouterr().out
    dataset = RawDataset.load(801)
    assert dataset.cases(UNLABELLED) == ["btcv_0061", "chaos_ct_01", "chaos_ct_05"]
    assert dataset.patients()["chaos_ct_05"] == "chaos_ct_05"
    assert dataset.licence == f"{btcv_module.LICENCE}; CHAOSCT: {chaos.LICENCE}"
    assert dataset.reference == f"{btcv_module.REFERENCE}; CHAOSCT: {chaos.REFERENCE}"
    assert same_content(read_volume(btcv / "imagesUn/chaos_ct_05_0000.nii.gz"), scan(105))
    assert "chaos_ct_05" in json.loads((btcv / "check.json").read_text())
    assert [path.name for path in btcv.parent.iterdir()] == [btcv.name]
    assert convert(tmp_path, "--ct-dataset-id", "801") == 0
    assert "holds all 2 scans already" in capsys.readouterr().out
    # The dataset's own conversion still knows it.
    assert main(["convert", "btcv", str(tmp_path / "btcv"), "-d", "801", "-np", "1"]) == 0


def test_a_killed_run_goes_on(tmp_path, btcv, monkeypatch):
    replace = Path.replace

    def killed(self, target):
        if "chaos_ct_05_0000" in str(target) and "imagesUn" in str(target):
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        assert convert(tmp_path, "--ct-dataset-id", "801") == 130
    assert RawDataset.load(801).patients()["chaos_ct_01"] == "chaos_ct_01"  # whole as far as it goes
    assert convert(tmp_path, "--ct-dataset-id", "801") == 0
    assert RawDataset.load(801).cases(UNLABELLED) == ["btcv_0061", "chaos_ct_01", "chaos_ct_05"]


def test_the_dataset_must_be_of_ct_and_of_our_format(tmp_path, btcv, capsys):
    path = btcv / "dataset.json"
    content = json.loads(path.read_text())
    for change, text in (
        ({"channel_names": {"0": "MRI"}}, "Dataset801_BTCV holds MRI, not CT: choose another id"),
        ({"overwrite_image_reader_writer": "SimpleITKIO"}, "another overwrite_image_reader_writer than Nibabel"),
    ):
        path.write_text(json.dumps(content | change))
        assert convert(tmp_path, "--ct-dataset-id", "801") == 2
        assert text in capsys.readouterr().err
    assert not list(btcv.parent.glob("*/imagesUn/chaos*"))


def test_a_scan_that_is_in_the_dataset_already(tmp_path, btcv, capsys):
    source = tmp_path / "src/Train_Sets/CT"
    (btcv / "imagesTr/btcv_0001_0000.nii.gz").rename(btcv / "imagesTr/chaos_ct_01_0000.nii.gz")
    (btcv / "labelsTr/btcv_0001.nii.gz").rename(btcv / "labelsTr/chaos_ct_01.nii.gz")
    assert convert(tmp_path, "--ct-dataset-id", "801") == 2
    assert "holds chaos_ct_01 in imagesTr: leave it out with --exclude" in capsys.readouterr().err
    assert (source / "1").is_dir()


def test_mri_and_ct_in_one_command_and_neither(tmp_path, raw, capsys):
    assert convert(tmp_path) == 2
    assert "give -d ID for the MRI of CHAOS, --ct-dataset-id ID for its CT" in capsys.readouterr().err
    assert convert(tmp_path, "-d", "802", "--ct-dataset-id", "803") == 2
    assert "holds no CHAOS MRI of T2SPIR" in capsys.readouterr().err
    assert list(raw.iterdir()) == []
    for number in (1, 2):
        write_chaos_patient(tmp_path / f"src/Train_Sets/MR/{number}", seed=number)
    assert convert(tmp_path, "-d", "802", "--ct-dataset-id", "803") == 0
    assert sorted(path.name for path in raw.iterdir()) == ["Dataset802_CHAOS", "Dataset803_CHAOSCT"]
