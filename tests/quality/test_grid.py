"""Scans and label maps on the coarse grid keep their volumes, their orientation and their intensities."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.quality.grid import read_scan, read_shares

LABELS = {"background": 0, "spleen": 1, "liver": 2}


def write(path, array, orientation="RAS"):
    """An array (Z, Y, X) of voxels of 5 mm whose axes end at the head, front and right, stored otherwise."""
    image = sitk.GetImageFromArray(array)
    image.SetDirection((-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    image.SetSpacing((5.0, 5.0, 5.0))
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    return path


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIR"])
def test_labels_keep_their_volume_in_any_orientation(tmp_path, orientation):
    array = np.zeros((8, 12, 16), np.uint8)
    array[0:2, 2:6, 4:8], array[4:8, :4, :4] = 1, 2
    found = read_shares(write(tmp_path / "labels.nii.gz", array, orientation), LABELS)
    assert found.shares.shape == (3, 4, 6, 8)
    np.testing.assert_allclose(found.shares.sum(0), 1)
    np.testing.assert_allclose(found.volumes[1:], [32 * 0.125, 64 * 0.125])
    assert found.shares[1, 0, 1, 2] == found.shares[2, 3, 0, 0] == 1


def test_intensities_of_ct_are_a_window_and_others_percentiles(tmp_path):
    array = np.full((8, 8, 8), 50, np.int16)
    array[:4], array[6:] = -1000, 2000
    file = write(tmp_path / "scan.nii.gz", array)
    scan, stored = read_scan(file, "CT")
    np.testing.assert_allclose(np.unique(scan.image), [0, 0.5, 1])
    assert scan.edges == (10.0, 10.0, 10.0)
    assert scan.size == (8, 8, 8) == stored.GetSize()
    assert scan.voxel_ml == 1.0
    assert scan.percentiles == (-1000.0, pytest.approx(-475))
    assert read_scan(file, "MRI")[0].image.max() == 1
    assert scan.coarsest().shape == (3, 3, 3)
