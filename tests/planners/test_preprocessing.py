"""planners/preprocessing.py: damaged label maps; tests of the command look at what it writes."""

import shutil

import blosc2
import numpy as np
import pytest

from mass_nnunet.cli import main
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.planners import preprocessing
from mass_nnunet.planners.preprocessing import check_labels, preprocess_outside
from mass_nnunet.training.loaders import outside_folder
from nnunet_threads import use_threads
from refused_input import messages
from tiny_raw import write_raw_dataset, write_scan

NAMES = ("Dataset801_CTS", "Dataset802_MRS")
PLAN = ["plan", "-d", "801", "802", "--spacing", "fit", "--patch-size", "8", "16", "16", "--features", "4", "-np", "1"]


@pytest.fixture
def raw(tmp_path, monkeypatch):
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    use_threads(monkeypatch)
    write_raw_dataset(tmp_path / "raw", NAMES[0], "CT", ["ct0", "ct1"])
    write_raw_dataset(tmp_path / "raw", NAMES[1], "MRI", ["mr0"], seed=1)
    return tmp_path / "raw"


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


def not_finite(file):
    write_scan(file, np.full((8, 24, 24), np.nan, np.float32), (6.0, 2.0, 2.0))


def of_another_shape(file):
    write_scan(file, np.zeros((8, 24, 23), np.uint8), (6.0, 2.0, 2.0))


def test_sound_labels_pass(raw):
    check_labels(RawDataset.load(801))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut, "cannot be read ("),
        (not_finite, "holds values that are not finite"),
        (of_another_shape, "has 8 x 24 x 23 voxels, and its scan 8 x 24 x 24: get the label map that belongs"),
    ],
)
def test_a_damaged_label_map_is_named(raw, damage, told):
    file = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    damage(file)
    with pytest.raises(UserError, match=rf"^{file} ") as raised:
        check_labels(RawDataset.load(801))
    assert told in str(raised.value)


def test_the_command_ends_in_the_same_line(raw, capsys):
    file = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    of_another_shape(file)
    capsys.readouterr()
    assert main(PLAN) == 2
    (line,) = messages(capsys.readouterr().err)
    assert f"{file} has 8 x 24 x 23 voxels" in line


def test_labels_of_another_tool_are_brought_to_the_grid(raw, tmp_path, capsys):
    image, label = raw / NAMES[0] / "imagesTr" / "ct1_0000.nii.gz", raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    for name in ("imagesUn", "pseudo"):
        (raw / NAMES[0] / name).mkdir()
    shutil.copyfile(image, raw / NAMES[0] / "imagesUn" / "ctun_0000.nii.gz")
    shutil.copyfile(label, raw / NAMES[0] / "pseudo" / "ctun.nii.gz")
    assert main(PLAN) == 0
    arrays = tmp_path / "preprocessed" / NAMES[0] / "MASSPlans_3d_fullres"
    file = outside_folder(arrays) / "ctun.b2nd"
    found, expected = (blosc2.open(urlpath=str(path), mode="r")[:] for path in (file, arrays / "ct1_seg.b2nd"))
    assert found.dtype == np.int16
    assert np.array_equal(found, np.maximum(expected, 0))
    assert not outside_folder(tmp_path / "preprocessed" / NAMES[1] / "MASSPlans_3d_fullres").exists()

    dataset, before = RawDataset.load(801), file.stat().st_mtime_ns
    preprocess_outside(dataset)
    assert file.stat().st_mtime_ns == before
    shutil.copyfile(raw / NAMES[0] / "labelsTr" / "ct0.nii.gz", raw / NAMES[0] / "pseudo" / "ctun.nii.gz")
    preprocess_outside(dataset)
    assert file.stat().st_mtime_ns > before
    write_scan(raw / NAMES[0] / "pseudo" / "ctun.nii.gz", np.full((8, 24, 24), 9, np.uint8), (6.0, 2.0, 2.0))
    with pytest.raises(UserError, match=r"pseudo/ctun.nii.gz has value 9, which dataset.json does not name"):
        preprocess_outside(dataset)
    of_another_shape(raw / NAMES[0] / "pseudo" / "ctun.nii.gz")
    with pytest.raises(UserError, match=r"pseudo/ctun.nii.gz \(23 x 24 x 8 .* is not on the grid of"):
        preprocess_outside(dataset)
    (raw / NAMES[0] / "pseudo" / "ctun.nii.gz").unlink()
    preprocess_outside(dataset)
    assert list(outside_folder(arrays).iterdir()) == []


@pytest.mark.parametrize("step", ["preprocess_dataset", "map_cases"])
def test_a_library_that_cannot_write_names_the_folder_and_the_remedies(raw, capsys, monkeypatch, step):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Error while creating the NDArray")

    monkeypatch.setattr(preprocessing, step, fail)
    capsys.readouterr()
    assert main(PLAN) == 2
    *_, line = messages(capsys.readouterr().err)
    assert f"{NAMES[0]} cannot be filled ('Error while creating the NDArray'): make room on the disk" in line
