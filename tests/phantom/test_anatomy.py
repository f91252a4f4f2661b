"""A body on a scan's grid: partial volumes, majorities, and where the body lies."""

import numpy as np
import pytest

from mass_nnunet.phantom.anatomy import CONTROLS, Physique, _majority, _subsample, voxel_mean


def physique(**changes) -> Physique:
    """The reference body, upright and undeformed."""
    usual = {"scale": np.ones(3), "fatness": 1.0, "degrees": np.zeros(3)}
    return Physique(**usual | {"deformation": np.zeros((3, *CONTROLS), np.float32)} | changes)


AXES = tuple(np.arange(size) * step for size, step in ((4, 5.0), (5, 2.0), (6, 1.0)))
"""z, y, x in mm."""


def test_sub_voxels_lie_evenly_around_their_voxel():
    fine = _subsample(np.array([10.0, 14.0, 18.0]))
    np.testing.assert_allclose(fine, [9, 11, 13, 15, 17, 19])


def test_the_mean_of_each_voxel():
    fine = np.arange(4 * 2 * 2, dtype=np.float32).reshape(4, 2, 2)
    np.testing.assert_allclose(voxel_mean(fine), np.array([3.5, 11.5]).reshape(2, 1, 1))


def test_the_label_of_the_largest_share_and_background_in_a_tie():
    fine = np.zeros((2, 2, 6), np.uint8)
    fine[:, :, 0], fine[:, 0, 1] = 3, 5  # 4 of 8 sub-voxels, 2 of 8
    fine[:, :, 2] = 3  # 4 of 8, as the background has
    fine[:, :, 4:] = 7
    np.testing.assert_array_equal(_majority(fine).ravel(), [3, 0, 7])


def test_the_reference_body_has_the_coordinates_of_the_scanner():
    x, y, z = physique().body_points(AXES)
    for points, (axis, along) in zip((z, y, x), enumerate(AXES), strict=True):
        assert points.shape == (4, 5, 6)
        shape = [1, 1, 1]
        shape[axis] = -1
        np.testing.assert_allclose(points, np.broadcast_to(along.reshape(shape), (4, 5, 6)), atol=1e-4)


def test_a_larger_body_has_smaller_coordinates_at_the_same_place():
    x, y, z = physique(scale=np.array([2.0, 1.0, 0.5])).body_points(AXES)
    assert (x.max(), y.max(), z.max()) == pytest.approx((2.5, 8, 30))


def test_a_quarter_turn_about_the_long_axis():
    x, y, _ = physique(degrees=np.array([0, 0, 90.0])).body_points(AXES)
    assert x.max() == pytest.approx(8, abs=1e-3) and y.min() == pytest.approx(-5, abs=1e-3)


def test_fat_makes_a_body_wider():
    assert physique(fatness=2.0).width - physique().width == pytest.approx(38)
