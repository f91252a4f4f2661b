"""mass_nnunet/data/axes.py: where the axes of scans point, and where their slices are stacked."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mass_nnunet.data.axes import stacked_axes, through_plane_axis, tilt, unlike_axes, usual_axis


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((5.0, 2.0, 2.0), 0),
        ((1.75, 8.0, 1.75), 1),
        ((0.9, 0.9, 7.5), 2),
        ((1.5, 1.0, 1.0), 0),  # the ratio itself counts
        ((1.49, 1.0, 1.0), None),
        ((1.0, 1.0, 1.0), None),
        ((5.0, 1.0, 4.0), None),  # two long axes: neither is through-plane
    ],
)
def test_axis_of_the_longest_edge_unless_the_scan_is_nearly_isotropic(spacing, axis):
    assert through_plane_axis(spacing) == axis


@pytest.mark.parametrize(
    ("axes", "usual"), [([0, 1, 1, None, None, None], 1), ([2, 0], 0), ([None, None], None), ([], None)]
)
def test_usual_axis_is_that_of_most_scans_that_have_one(axes, usual):
    assert usual_axis(axes) == usual


# Directions of Z, Y, X in LPS. A short-axis scan of a heart, and the three planes as dcm2niix stores them.
HEART = np.array([[-0.59, 0.65, 0.48], [0.56, -0.11, 0.82], [0.59, 0.75, -0.30]])
LAS, LSP, PSR = (
    np.array(axes, float)
    for axes in (
        [[0, 0, 1], [0, -1, 0], [1, 0, 0]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
    )
)
SPACING = np.array([8.0, 1.5, 1.5])


@pytest.mark.parametrize("pose", [HEART, LAS, LSP, PSR], ids=["heart", "axial", "coronal", "sagittal"])
def test_stacked_axes_are_the_same_however_a_scan_is_stored(pose):
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            stored = pose[list(order)] * np.array(signs)[:, None]
            found = np.array([sign * stored[axis] for axis, sign in stacked_axes(stored, SPACING[list(order)])])
            assert np.array_equal(found, pose)


def test_stacked_axes_of_an_isotropic_scan_keep_its_stored_slices():
    assert stacked_axes(PSR[[1, 0, 2]], (1.0, 1.0, 1.0))[0][0] == 0


def test_tilt_is_the_angle_to_the_nearest_anatomical_axis():
    assert tilt(LAS, SPACING) == tilt(PSR, SPACING) == 0
    turned = Rotation.from_rotvec([np.radians(40), 0, 0]).apply(LAS)
    assert tilt(turned, SPACING) == pytest.approx(40)
    assert tilt(Rotation.from_rotvec([np.radians(50), 0, 0]).apply(LAS), SPACING) == pytest.approx(40)
    assert tilt(turned, (1.0, 1.0, 1.0)) is None


def test_unlike_axes_are_found_whichever_way_they_differ_and_angles_do_not_matter():
    angles = [Rotation.from_rotvec([0, np.radians(degrees), 0]) for degrees in (-30, 0, 30, 10, -10)]
    hearts = [angle.apply(HEART) for angle in angles]
    assert unlike_axes(hearts) == [False] * 5
    for order, signs in (((0, 1, 2), (1, 1, -1)), ((0, 2, 1), (1, 1, 1)), ((2, 1, 0), (1, -1, 1))):
        other = hearts[1][list(order)] * np.array(signs)[:, None]
        assert unlike_axes([hearts[0], other, *hearts[2:]]) == [False, True, False, False, False]
    assert unlike_axes([]) == []
