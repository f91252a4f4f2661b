"""Agreement with other segmentations: a closed form, and label maps that must not count."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.pose import Pose
from mass_nnunet.quality.agreement import agreement, with_agreement
from mass_nnunet.quality.grid import Lattice, read_shares

LABELS = {"background": 0, "spleen": 1, "liver": 2}
SCAN = sitk.Image((6, 6, 6), sitk.sitkUInt8)
SCAN.SetSpacing((10.0, 10.0, 10.0))
LATTICE = Lattice(Pose.UPRIGHT, 10.0)  # the same voxels


def write(file, spleen, liver, like=SCAN):
    """A label map whose organs fill so many voxels of a row, from its start."""
    labels = np.zeros(sitk.GetArrayFromImage(like).shape, np.uint8)
    labels[1, 1, :spleen] = 1
    labels[2, 1, :liver] = 2
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(like)
    sitk.WriteImage(image, str(file))
    return file


def agreed(own, *others):
    return agreement(read_shares(own, LABELS, LATTICE).shares, others, LABELS, LATTICE, SCAN)


def test_the_mean_dice_with_all_others(tmp_path):
    own = write(tmp_path / "own.nii.gz", 4, 0)
    others = write(tmp_path / "a.nii.gz", 2, 0), write(tmp_path / "b.nii.gz", 4, 3)
    found, marks = agreed(own, *others)
    np.testing.assert_allclose(found, [(2 * 2 / 6 + 1) / 2, (1 + 0) / 2], rtol=1e-6)
    assert marks == []


def test_without_others_there_is_none(tmp_path):
    assert agreed(write(tmp_path / "own.nii.gz", 4, 2)) == (None, [])


def test_the_same_segmentation_says_nothing(tmp_path):
    own, copy = write(tmp_path / "own.nii.gz", 4, 2), write(tmp_path / "copy.nii.gz", 4, 2)
    found, (mark,) = agreed(own, copy)
    assert found is None
    assert mark.startswith(f"{copy} is the same segmentation")
    found, marks = agreed(own, copy, write(tmp_path / "other.nii.gz", 2, 2))
    np.testing.assert_allclose(found, [2 * 2 / 6, 1])
    assert len(marks) == 1


def test_two_empty_segmentations_agree(tmp_path):
    found, marks = agreed(write(tmp_path / "own.nii.gz", 0, 0), write(tmp_path / "other.nii.gz", 0, 0))
    assert found.tolist() == [1, 1] and marks == []


def test_a_bad_file_is_a_mark(tmp_path):
    own, bad = write(tmp_path / "own.nii.gz", 4, 2), tmp_path / "bad.nii.gz"
    bad.write_bytes(b"no label map")
    small = write(tmp_path / "small.nii.gz", 4, 2, SCAN[:, :, 1:])
    found, marks = agreed(own, bad, small)
    assert found is None
    assert any("bad.nii.gz cannot be read" in mark for mark in marks)
    assert any("small.nii.gz has " in mark and "but its scan" in mark for mark in marks)


def test_the_estimate_is_the_mean_of_both():
    assert with_agreement(np.array([0.4, 1.0]), np.array([0.8, 0.5])) == pytest.approx([0.6, 0.75])
