"""``mass_nnunet turn``: scans into the pose of the converted ones, and predictions back."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.volume import read_volume
from native_trees import organs, same_content, scan, write
from oblique import tilted

VALUES = {"spleen": 1, "right_kidney": 2, "left_kidney": 3, "liver": 4}
STORED = {"a": "LPS", "b": "SAR"}


@pytest.fixture
def scans(tmp_path) -> Path:
    """Two oblique scans that are stored differently, named as nnU-Net wants them."""
    for name, codes in STORED.items():
        write(sitk.DICOMOrient(tilted(scan(), 40, 40), codes), tmp_path / "scans" / f"{name}_0000.nii.gz")
    return tmp_path / "scans"


def turn(*words: object) -> int:
    return main(["turn", *map(str, words), "-np", "1"])


def test_scans_are_turned_alike_and_predictions_come_back_in_the_scans_own_geometry(scans, tmp_path, capsys):
    assert turn("-i", scans, "-o", tmp_path / "turned") == 0
    assert "wrote 2 files" in capsys.readouterr().out
    turned = {name: read_volume(tmp_path / "turned" / f"{name}_0000.nii.gz") for name in STORED}
    arrays = [sitk.GetArrayFromImage(image) for image in turned.values()]
    assert np.array_equal(*arrays)
    label = tilted(organs(VALUES), 40, 40)
    for name, image in turned.items():
        assert same_content(image, tilted(scan(), 40, 40))
        write(sitk.DICOMOrient(label, Pose.SLICES.orientation(label)), tmp_path / "predicted" / f"{name}.nii.gz")
    assert turn("-i", tmp_path / "predicted", "--like", scans, "-o", tmp_path / "back") == 0
    assert "wrote 2 files" in capsys.readouterr().out
    for name, codes in STORED.items():
        back = read_volume(tmp_path / "back" / f"{name}.nii.gz")
        original = read_volume(scans / f"{name}_0000.nii.gz")
        assert np.array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(sitk.DICOMOrient(label, codes)))
        assert np.allclose(back.GetDirection(), original.GetDirection())
        assert np.allclose(back.GetOrigin(), original.GetOrigin())


def test_scans_that_are_stored_alike_already_are_counted(scans, tmp_path, capsys):
    assert turn("-i", scans, "-o", tmp_path / "turned") == 0
    assert turn("-i", tmp_path / "turned", "-o", tmp_path / "again") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(": 2 were stored in other axes") and second.endswith(": 0 were stored in other axes")


def test_bad_input_is_named(scans, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    predictions = write(organs(VALUES), tmp_path / "predicted" / "c.nii.gz").parent
    wrong = write(organs(VALUES), tmp_path / "wrong" / "a.nii.gz").parent  # not oblique
    for words, message in (
        (("-i", scans, "-o", scans), "is the folder of -i: give another one"),
        (("-i", tmp_path / "empty", "-o", tmp_path / "out"), "empty holds no NIfTI file"),
        (("-i", predictions, "--like", scans, "-o", tmp_path / "out"), "expected c_0000.nii.gz"),
        (("-i", wrong, "--like", scans, "-o", tmp_path / "out"), "is not on the grid of"),
        (("-i", scans, "-o", tmp_path / "out", "-np", "0"), "-np 0 is not at least 1"),
    ):
        assert main(["turn", *map(str, words)]) == 2
        assert message in capsys.readouterr().err


def test_a_name_in_capitals_is_read_and_written_as_nnunet_wants_it(scans, tmp_path):
    (scans / "a_0000.nii.gz").rename(scans / "a_0000.NII.GZ")
    assert turn("-i", scans, "-o", tmp_path / "turned") == 0
    assert sorted(path.name for path in (tmp_path / "turned").iterdir()) == ["a_0000.nii.gz", "b_0000.nii.gz"]
