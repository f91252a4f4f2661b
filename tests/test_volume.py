from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.volume import compact, read_image, read_volume, same_grid, write_volume
from mass_nnunet.errors import UserError
from native_trees import AXIS_CODES, organs, same_content, scan, volume, write


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_written_volume_is_ras_and_has_the_same_content_in_millimetres(tmp_path, codes):
    original = scan()
    native = write(sitk.DICOMOrient(original, codes), tmp_path / "native.nii.gz")
    assert "".join(nibabel.aff2axcodes(nibabel.load(native).affine)) == codes
    write_volume(read_volume(native), tmp_path / "out.nii.gz")
    assert nibabel.aff2axcodes(nibabel.load(tmp_path / "out.nii.gz").affine) == ("R", "A", "S")
    assert same_content(read_volume(tmp_path / "out.nii.gz"), original)


def test_same_content_sees_a_flip():
    assert not same_content(scan(), volume(sitk.GetArrayFromImage(scan())[::-1].copy()))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii"])
def test_truncated_nifti_is_an_error(tmp_path, name):
    path = write(scan(), tmp_path / name)
    read_volume(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match=rf"{name} cannot be read .*copy or download"):
        read_volume(path)


def test_no_image_and_no_file(tmp_path):
    (tmp_path / "x.nii.gz").write_bytes(b"nothing")
    for name in ("x.nii.gz", "absent.nii.gz"):
        with pytest.raises(UserError, match=rf"{name} cannot be read") as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def half(image, path, useCompression):
        Path(path).write_bytes(b"\x1f\x8b\x08\x00")

    monkeypatch.setattr(sitk, "WriteImage", half)
    with pytest.raises(UserError, match=r"cannot be written .*make room"):
        write_volume(scan(), tmp_path / "out.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_only_three_dimensional_scans(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 2), np.float32), np.eye(4)), tmp_path / "4d.nii.gz")
    with pytest.raises(UserError, match=r"4d.nii.gz is not one three-dimensional scan"):
        read_volume(tmp_path / "4d.nii.gz")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[[0, 40000]]], np.uint16), sitk.sitkFloat32),
        (np.array([[[0, 32767]]], np.uint16), sitk.sitkInt16),
        (np.array([[[-1024.0, 3000.0]]], np.float64), sitk.sitkInt16),
        (np.array([[[0.5, 3.0]]], np.float64), sitk.sitkFloat32),
    ],
)
def test_compact_keeps_the_values(array, expected):
    result = compact(volume(array))
    assert result.GetPixelID() == expected
    assert np.array_equal(sitk.GetArrayFromImage(result), array)


def test_same_grid():
    image, label = scan(), organs({"spleen": 1, "right_kidney": 2, "left_kidney": 3, "liver": 4})
    assert same_grid(image, label)
    label.SetOrigin([x + 0.05 for x in label.GetOrigin()])
    assert same_grid(image, label)
    label.SetOrigin([x + 0.5 for x in image.GetOrigin()])
    assert not same_grid(image, label)
    assert not same_grid(image, image[1:])
    assert not same_grid(image, sitk.DICOMOrient(image, "RPS"))
    other = sitk.Image(image)
    other.SetSpacing((1.5, 2.0, 3.3))
    assert not same_grid(image, other)
