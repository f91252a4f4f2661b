"""The measures of a scan, on bodies of known size."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.annotation.description import describe
from mass_nnunet.data.pose import Pose
from oblique import tilted

SPACING = (5.0, 3.0, 3.0)
SHAPE = (60, 100, 120)  # 300 x 300 x 360 mm


def write(path, inside, outside, *, orientation="LPS", scale=1.0):
    """An elliptic cylinder 180 mm deep and 270 mm wide, of two intensities, with noise."""
    y, x = np.meshgrid(*(3.0 * (np.arange(n) - (n - 1) / 2) for n in SHAPE[1:]), indexing="ij")
    body = np.broadcast_to((y / 90) ** 2 + (x / 135) ** 2 < 1, SHAPE)
    noise = np.random.default_rng(0).normal(0, 0.02 * abs(inside), SHAPE)
    image = sitk.GetImageFromArray((scale * np.where(body, inside + noise, outside)).astype(np.float32))
    image.SetSpacing(SPACING[::-1])
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    return path


def test_a_ct(tmp_path):
    found = describe(write(tmp_path / "ct.nii.gz", 50, -1000), is_ct=True, pose=Pose.UPRIGHT)
    assert found.extent == pytest.approx((300, 300, 360))
    assert found.spacing == pytest.approx(SPACING)
    assert found.body == pytest.approx((180, 270), abs=16)
    assert found.tissue == pytest.approx(50, abs=3)
    assert found.image.shape == (20, 20, 24)
    assert (found.image.min(), found.image.max()) == pytest.approx((-2, 0.5), abs=0.05)


def test_an_mri_does_not_depend_on_the_scale_of_its_intensities(tmp_path):
    one, other = (
        describe(write(tmp_path / f"{scale}.nii.gz", 300, 2, scale=scale), is_ct=False, pose=Pose.UPRIGHT)
        for scale in (1.0, 7.5)
    )
    assert one.tissue[2] == 1
    np.testing.assert_allclose(one.tissue, other.tissue, rtol=1e-5)
    np.testing.assert_allclose(one.image, other.image, atol=1e-4)
    assert one.body == pytest.approx((180, 270), abs=16)


def test_axes_are_those_of_the_patient(tmp_path):
    upright = describe(write(tmp_path / "a.nii.gz", 50, -1000), is_ct=True, pose=Pose.UPRIGHT)
    turned = describe(write(tmp_path / "b.nii.gz", 50, -1000, orientation="PIR"), is_ct=True, pose=Pose.UPRIGHT)
    assert turned.extent == pytest.approx(upright.extent)
    assert turned.body == pytest.approx(upright.body)
    np.testing.assert_allclose(turned.image, upright.image, atol=1e-5)


@pytest.mark.parametrize("is_ct", [True, False])
def test_a_scan_without_a_body_has_no_size(tmp_path, is_ct):
    image = sitk.GetImageFromArray(np.full((6, 6, 6), -1000 if is_ct else 0, np.int16))
    sitk.WriteImage(image, str(tmp_path / "air.nii.gz"))
    found = describe(tmp_path / "air.nii.gz", is_ct=is_ct, pose=Pose.UPRIGHT)
    assert found.body == (0, 0)
    assert np.isfinite(found.image).all()
    assert np.isfinite(found.tissue).all()


def test_slices_of_oblique_scans_are_described_as_slices(tmp_path):
    """The nearest anatomical axis of the slices is z at -40 degrees, and y at -50."""
    upright = sitk.ReadImage(str(write(tmp_path / "a.nii.gz", 50, -1000)))
    found = []
    for angle in (-40, -50):
        sitk.WriteImage(tilted(upright, angle, 0), str(tmp_path / f"{angle}.nii.gz"))
        found.append(describe(tmp_path / f"{angle}.nii.gz", is_ct=True, pose=Pose.SLICES))
    assert found[0].extent == pytest.approx((360, 200, 180))
    for one in found:
        assert one.extent == pytest.approx(found[0].extent)
        assert one.body == pytest.approx(found[0].body)
        np.testing.assert_allclose(one.image, found[0].image, atol=1e-5)
