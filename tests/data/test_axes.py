"""mass_nnunet/data/axes.py: where the slices of a scan are stacked."""

import pytest

from mass_nnunet.data.axes import through_plane_axis, usual_axis


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
