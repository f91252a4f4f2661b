import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.volume import (
    aligned,
    check_header,
    compact,
    describe_grid,
    grid_distance,
    read_image,
    read_volume,
    write_volume,
)
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import AXIS_CODES, SHAPE, SPACING, organs, same_content, scan, volume, write


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_written_volume_has_the_same_content_in_millimetres(tmp_path, codes):
    write_volume(sitk.DICOMOrient(scan(), codes), tmp_path / "out.nii.gz")
    assert "".join(nibabel.aff2axcodes(nibabel.load(tmp_path / "out.nii.gz").affine)) == codes
    assert same_content(read_volume(tmp_path / "out.nii.gz"), scan())


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


def test_grid_distance_is_in_voxels():
    image = scan()
    assert grid_distance(image, organs(LABELS)) == 0
    moved = sitk.Image(image)
    moved.SetOrigin([x + 0.6 for x in image.GetOrigin()])
    assert grid_distance(image, moved) == pytest.approx(0.6 * 3**0.5 / min(SPACING))
    assert grid_distance(image, image[1:]) == float("inf")
    stretched = sitk.Image(image)
    stretched.SetSpacing((*SPACING[:2], SPACING[2] + 0.3))
    assert grid_distance(image, stretched) == pytest.approx(0.3 * (SHAPE[0] - 1) / min(SPACING))


@pytest.mark.parametrize("codes", AXIS_CODES[::5])
def test_aligned_turns_the_axes_and_moves_nothing(codes):
    image = sitk.DICOMOrient(scan(), codes)
    turned = aligned(organs(LABELS), image)
    assert grid_distance(image, turned) == pytest.approx(0, abs=1e-6)
    assert same_content(turned, organs(LABELS))


def test_grid_in_words():
    assert describe_grid(scan()) == "24 x 24 x 6 voxels of 1.5 x 2 x 3 mm at -20 x 7 x 100, axes LPS"


def edit_header(path: Path, offset: int, form: str, *values: float) -> Path:
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(form, content, offset, *values)
    path.write_bytes(gzip.compress(bytes(content)))
    return path


@pytest.mark.parametrize(("value", "text"), [(0.0, "0 x 2 x 3"), (float("nan"), "nan x 2 x 3"), (-1.5, "-1.5 x 2 x 3")])
def test_a_voxel_size_that_simpleitk_would_replace(tmp_path, value, text):
    path = edit_header(write(scan(), tmp_path / "x.nii.gz"), 80, "<f", value)  # pixdim[1]
    sitk.ReadImage(str(path))
    with pytest.raises(UserError, match=rf"x.nii.gz has the voxel size {text} mm: correct its header"):
        read_volume(path)


@pytest.mark.parametrize("qform_code", [0, 1])
def test_axes_must_be_at_right_angles_but_for_rounding(tmp_path, qform_code):
    def sheared(by: float) -> Path:
        image = nibabel.Nifti1Image(np.zeros((4, 50, 6), np.int16), None)
        image.set_sform(np.array([[-1, by, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]), 2)
        # SimpleITK by itself would take this one instead, with left and right changed.
        image.set_qform(np.diag([1, 2, 3, 1]), qform_code)
        nibabel.save(image, tmp_path / "x.nii.gz")
        return tmp_path / "x.nii.gz"

    assert describe_grid(read_volume(sheared(0.002))).endswith("axes LAS")
    with pytest.raises(UserError, match=r"x.nii.gz has a geometry that programs read differently"):
        read_volume(sheared(0.1))


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nii", "x.mha"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_values_that_are_not_finite(tmp_path, name, value):
    array = np.ones(SHAPE, np.float32)
    write(volume(array), tmp_path / name)
    assert read_volume(tmp_path / name).GetPixelID() == sitk.sitkFloat32
    array[1, 2, 3] = value
    write(volume(array), tmp_path / name)
    with pytest.raises(UserError, match=rf"{name} holds values that are not finite \(NaN or infinity\): repair"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["x.NII.GZ", "x.NII"])
def test_a_name_in_capitals_is_read_and_checked(tmp_path, name):
    path = write(scan(), tmp_path / name.lower())
    path = path.rename(tmp_path / name)
    assert same_content(read_volume(path), scan())
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match=rf"{name} cannot be read"):
        read_volume(path)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1)])
def test_a_single_slice(tmp_path, shape):
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / "x.nii.gz")
    with pytest.raises(UserError, match=r"x.nii.gz is a single slice \(4 x 4.*\): 3D only, make a volume"):
        read_volume(tmp_path / "x.nii.gz")


def test_a_broken_link(tmp_path):
    (tmp_path / "x.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    with pytest.raises(UserError, match=r"x.nii.gz is a broken link: repair or remove it"):
        read_volume(tmp_path / "x.nii.gz")


def test_a_failed_write_is_not_always_a_full_disk(tmp_path):
    with pytest.raises(UserError, match=r"x.NII.GZ cannot be written \(.*Bad Nifti file name.*\): check its name"):
        write_volume(scan(), tmp_path / "x.NII.GZ")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_volume(scan(), tmp_path / "file" / "x.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_header_is_checked_without_the_voxels(tmp_path):
    path = write(scan(), tmp_path / "x.nii.gz")
    check_header(path)
    path.write_bytes(path.read_bytes()[:-500])
    check_header(path)
    edit_header(write(scan(), path), 80, "<f", 0.0)
    with pytest.raises(UserError, match=r"x.nii.gz has the voxel size 0 x 2 x 3 mm"):
        check_header(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"x.nii.gz cannot be read \(it is no NIfTI file\): copy or download"):
        check_header(path)
    check_header(tmp_path / "absent.mha")


def test_a_header_of_four_axes_and_one_without_directions(tmp_path):
    path = tmp_path / "x.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), np.eye(4)), path)
    with pytest.raises(UserError, match=r"is not one three-dimensional scan \(size 4 x 4 x 4 x 2\): split it first"):
        check_header(path)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), path)
    edit_header(path, 280, "<f", 0.0)  # the first column of the sform
    with pytest.raises(UserError, match=r"has a geometry in which an axis has no direction: correct its header"):
        check_header(path)
