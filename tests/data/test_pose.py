"""The pose of scans: the same voxels in the same order, however a scan is stored."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO, NibabelIOWithReorient

from mass_nnunet.data.dataset_json import turned_by_reader
from mass_nnunet.data.pose import Pose, pose_to_compare, usual_pose
from native_trees import AXIS_CODES, same_content, scan, write
from oblique import tilted

OBLIQUE, AXIAL = (40, 40), (10, 0)


@pytest.mark.parametrize("angles", [OBLIQUE, (0, 45), AXIAL])
def test_slices_are_the_same_array_however_a_scan_is_stored(angles):
    image = tilted(scan(), *angles)
    poses = []
    for codes in AXIS_CODES:
        stored = sitk.DICOMOrient(image, codes)
        turned = sitk.DICOMOrient(stored, Pose.SLICES.orientation(stored))
        assert same_content(turned, image)
        assert max(turned.GetSpacing()) == turned.GetSpacing()[2]
        poses.append(sitk.GetArrayFromImage(turned))
    assert all(np.array_equal(pose, poses[0]) for pose in poses[1:])


def test_upright_is_ras():
    assert Pose.UPRIGHT.orientation(tilted(scan(), *OBLIQUE)) == "RAS"


@pytest.mark.parametrize(("pose", "reader"), [(Pose.UPRIGHT, NibabelIOWithReorient), (Pose.SLICES, NibabelIO)])
def test_the_reader_is_nnunets_and_sees_the_pose(pose, reader, tmp_path):
    assert pose.reader == reader.__name__
    assert Pose.of_reader(pose.reader) is pose
    assert turned_by_reader({"overwrite_image_reader_writer": pose.reader}) is (pose is Pose.UPRIGHT)
    image = tilted(scan(), *OBLIQUE)
    turned = sitk.DICOMOrient(image, pose.orientation(image))
    values, properties = reader().read_images([str(write(turned, tmp_path / "scan.nii.gz"))])
    assert np.array_equal(values[0], sitk.GetArrayFromImage(turned))
    assert properties["spacing"] == pytest.approx(turned.GetSpacing()[::-1])


@pytest.mark.parametrize("angles", [(40, 0), (50, 0), AXIAL])
def test_pictures_are_right_handed_and_have_their_last_row_on_top(angles):
    image = tilted(scan(), *angles)
    for pose in Pose:
        seen = sitk.DICOMOrient(image, pose.shown(image))
        assert np.linalg.det(np.reshape(seen.GetDirection(), (3, 3))) == pytest.approx(1)
        rows = [sitk.GetArrayFromImage(one).max((0, 2)) for one in (pose.turn(image), seen)]
        assert np.array_equal(rows[0], rows[1][::-1])


def test_isotropic_scans_are_compared_upright(tmp_path):
    """They have no slices: as slices they would stay in the axes in which they are stored."""
    oblique, isotropic = tilted(scan(), *OBLIQUE), tilted(scan(), *OBLIQUE)
    isotropic.SetSpacing((1.0, 1.0, 1.2))
    assert usual_pose(written(tmp_path / "a", oblique, isotropic, isotropic)) is Pose.SLICES
    assert pose_to_compare(written(tmp_path / "a", oblique, isotropic, isotropic)) is Pose.UPRIGHT
    assert pose_to_compare(written(tmp_path / "b", oblique, oblique, isotropic)) is Pose.SLICES
    assert pose_to_compare(written(tmp_path / "c", tilted(scan(), *AXIAL))) is Pose.UPRIGHT


def test_scans_of_a_dataset_without_a_named_reader_are_read_as_stored():
    assert not turned_by_reader({})


def written(folder: Path, *images: sitk.Image) -> list[Path]:
    return [write(image, folder / f"{number}.nii.gz") for number, image in enumerate(images)]


def test_slices_where_most_scans_are_oblique(tmp_path):
    oblique, axial = tilted(scan(), *OBLIQUE), tilted(scan(), *AXIAL)
    isotropic = tilted(scan(), *OBLIQUE)
    isotropic.SetSpacing((1.0, 1.0, 1.2))
    assert usual_pose(written(tmp_path / "a", oblique, oblique, axial)) is Pose.SLICES
    assert usual_pose(written(tmp_path / "b", oblique, axial, axial)) is Pose.UPRIGHT
    assert usual_pose(written(tmp_path / "c", isotropic, isotropic)) is Pose.UPRIGHT  # as MRIs of MM-WHS
    assert usual_pose([]) is Pose.UPRIGHT


def test_files_that_cannot_be_read_are_left_to_their_conversion(tmp_path):
    good = written(tmp_path, tilted(scan(), *OBLIQUE))
    (tmp_path / "text.nii.gz").write_text("no image")
    (tmp_path / "short.nii.gz").write_bytes(good[0].read_bytes()[:50])
    (tmp_path / "header.nii").write_bytes(bytes(348))
    lost = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    lost.header["srow_x"] = np.nan
    lost.header["sform_code"] = 1
    (tmp_path / "nan.nii").write_bytes(lost.header.binaryblock + bytes(12))
    bad = [tmp_path / name for name in ("text.nii.gz", "short.nii.gz", "header.nii", "nan.nii", "absent.nii.gz")]
    assert usual_pose([*bad, *good]) is Pose.SLICES
    assert usual_pose(bad) is Pose.UPRIGHT
