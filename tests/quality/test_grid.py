"""Scans and label maps on the coarse grid keep their volumes, their orientation and their intensities."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.pose import Pose
from mass_nnunet.quality import grid
from mass_nnunet.quality.grid import VOXELS, Lattice, common_lattice, read_scan, read_shares
from native_trees import AXIS_CODES
from oblique import tilted

LABELS = {"background": 0, "spleen": 1, "liver": 2}
UPRIGHT = Lattice(Pose.UPRIGHT, 10.0)


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
    found = read_shares(write(tmp_path / "labels.nii.gz", array, orientation), LABELS, UPRIGHT)
    assert found.shares.shape == (3, 4, 6, 8)
    np.testing.assert_allclose(found.shares.sum(0), 1)
    np.testing.assert_allclose(found.volumes[1:], [32 * 0.125, 64 * 0.125])
    assert found.shares[1, 0, 1, 2] == found.shares[2, 3, 0, 0] == 1


def test_intensities_of_ct_are_a_window_and_others_percentiles(tmp_path):
    array = np.full((8, 8, 8), 50, np.int16)
    array[:4], array[6:] = -1000, 2000
    file = write(tmp_path / "scan.nii.gz", array)
    scan, stored = read_scan(file, "CT", UPRIGHT)
    np.testing.assert_allclose(np.unique(scan.image), [0, 0.5, 1])
    assert scan.edges == (10.0, 10.0, 10.0)
    assert scan.size == (8, 8, 8) == stored.GetSize()
    assert scan.voxel_ml == 1.0
    assert scan.percentiles == (-1000.0, pytest.approx(-475))
    assert read_scan(file, "MRI", UPRIGHT)[0].image.max() == 1
    assert scan.coarsest().shape == (3, 3, 3)


@pytest.mark.parametrize("about_x", [40, 50])
def test_oblique_slices_stay_slices_however_they_are_stored(tmp_path, about_x):
    """The nearest anatomical axis of the slices is z at 40 degrees, and y at 50."""
    array = np.random.default_rng(0).integers(0, 3, (5, 12, 16), np.uint8)
    image, found, lattice = tilted(sitk.GetImageFromArray(array), about_x, 0), [], Lattice(Pose.SLICES, 10.0)
    for code in AXIS_CODES[::7]:
        file = tmp_path / f"{code}.nii.gz"
        sitk.WriteImage(sitk.DICOMOrient(image, code), str(file))
        scan, _ = read_scan(file, "MRI", lattice)
        shares = read_shares(file, LABELS, lattice).shares
        assert scan.lattice == lattice
        assert scan.size == (5, 12, 16)
        assert scan.image.shape == shares.shape[1:] == (3, 2, 2)
        found.append((scan.image, shares))
    for scan, shares in found[1:]:
        np.testing.assert_allclose(scan, found[0][0], atol=1e-6)
        np.testing.assert_allclose(shares, found[0][1], atol=1e-6)


@pytest.mark.parametrize(
    ("spacings", "edge"),
    [
        ((2.0, 4.0, 20.0), 3.0),  # the median has 10.9 litres
        ((0.5, 0.5), 2.0),
        ((20.0, 20.0), 5.0),
    ],
)
def test_a_typical_scan_has_as_many_voxels_in_any_field_of_view(tmp_path, monkeypatch, spacings, edge):
    monkeypatch.setattr(grid, "EDGES", (2.0, 5.0))
    files = []
    for number, spacing in enumerate(spacings):
        image = sitk.Image((60, 50, 57), sitk.sitkUInt8)
        image.SetSpacing((spacing,) * 3)
        files.append(tmp_path / f"{number}.nii.gz")
        sitk.WriteImage(image, str(files[-1]))
    lattice = common_lattice(files)
    assert lattice == Lattice(Pose.UPRIGHT, edge)
    if edge == 3.0:
        assert np.prod(read_scan(files[1], "MRI", lattice)[0].image.shape) == pytest.approx(VOXELS, rel=0.3)


def test_whole_scans_are_aligned_at_three_times_the_edge(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "ALIGNED", 3)
    file = write(tmp_path / "scan.nii.gz", np.zeros((12, 24, 48), np.uint8))  # voxels of 5 mm
    scan, _ = read_scan(file, "MRI", Lattice(Pose.UPRIGHT, 2.5))
    assert scan.image.shape == (24, 48, 96)
    assert scan.coarsest().shape == (8, 16, 32)
