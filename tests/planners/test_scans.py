"""planners/scans.py: the scans of a dataset as nnU-Net's planning takes them."""

import shutil

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.planners.scans import make_training_folder, nnunet_cases
from tiny_raw import write_raw_dataset


def test_labelled_scans_come_first_and_no_label_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset801_A", "CT", ["b", "c"], ["a"], ["d"], shape=(2, 4, 4))
    cases = nnunet_cases(RawDataset.load(801))
    assert list(cases) == ["b", "c", "a"]
    for case, entry in cases.items():
        (image,) = entry["images"]
        assert image.endswith(f"{case}_0000.nii.gz")
        assert entry["label"] == image


def test_the_folder_that_nnunet_lists_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    folder = write_raw_dataset(tmp_path, "Dataset801_A", "CT", (), ["a"], shape=(2, 4, 4))
    shutil.rmtree(folder / "imagesTr", ignore_errors=True)
    for _ in range(2):
        make_training_folder(RawDataset.load(801))
        assert list((folder / "imagesTr").iterdir()) == []
