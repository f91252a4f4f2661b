"""Shapes on the phantom's canvas against closed forms."""

import numpy as np
import pytest

from mass_nnunet.phantom.anatomy import _majority, voxel_mean
from mass_nnunet.phantom.canvas import Canvas, Shape, spline_field
from mass_nnunet.phantom.tissues import Tissue
from mass_nnunet.phantom.variation import Variation


@pytest.fixture
def canvas() -> Canvas:
    axis = np.arange(-39.5, 40, dtype=np.float32)  # 1 mm
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return Canvas((x, y, z))


def test_spline_field_of_equal_coefficients_is_constant():
    np.testing.assert_allclose(spline_field(np.full((4, 5, 6), 3, np.float32), (7, 8, 9)), 3, rtol=1e-5)


def test_spline_field_of_linear_coefficients_is_linear_along_that_axis():
    ramp = np.broadcast_to(np.arange(6, dtype=np.float32), (4, 4, 6))
    field = spline_field(ramp, (3, 3, 13))
    np.testing.assert_allclose(field, np.broadcast_to(np.linspace(1, 4, 13), (3, 3, 13)), rtol=1e-5)


def test_ellipsoid_has_its_volume_at_its_place(canvas):
    canvas.paint(Tissue.LIVER, canvas.ellipsoid((5, -4, 3), (20, 12, 8), (20, 30, -40)), label=6)
    assert (canvas.label == 6).sum() == pytest.approx(4 / 3 * np.pi * 20 * 12 * 8, rel=0.02)
    centre = [values[canvas.label == 6].mean() for values in (canvas.x, canvas.y, canvas.z)]
    np.testing.assert_allclose(centre, (5, -4, 3), atol=0.1)


def test_bent_ellipsoid_has_its_poles_to_the_side(canvas):
    shape = canvas.ellipsoid((0, 0, 0), (10, 10, 25), bend=0.5)
    x, z, inside = canvas.x[shape.window], canvas.z[shape.window], shape.level < 1
    assert x[inside & (np.abs(z) > 20)].mean() > x[inside & (np.abs(z) < 5)].mean() + 2
    assert inside.sum() == pytest.approx(4 / 3 * np.pi * 10 * 10 * 25, rel=0.02)  # bending keeps the volume


def test_tube_has_its_volume(canvas):
    canvas.paint(Tissue.AORTA, canvas.tube([(0, 0, -20), (0, 0, 20)], 6))
    expected = np.pi * 6**2 * 40 + 4 / 3 * np.pi * 6**3  # a cylinder with round ends
    assert (canvas.tissue == Tissue.AORTA).sum() == pytest.approx(expected, rel=0.06)


def test_paint_obeys_cavity_where_and_over(canvas):
    everything = Shape((slice(None),) * 3, np.zeros(canvas.x.shape, np.float32))
    canvas.cavity = canvas.x > 0
    canvas.paint(Tissue.FAT, everything)
    canvas.paint(Tissue.LIVER, everything, label=6, where=canvas.y > 0)
    canvas.paint(Tissue.CYST, everything, over=(Tissue.LIVER,))
    assert set(np.unique(canvas.tissue[canvas.x < 0])) == {Tissue.AIR}
    assert set(np.unique(canvas.tissue[(canvas.x > 0) & (canvas.y > 0)])) == {Tissue.CYST}
    assert set(np.unique(canvas.tissue[(canvas.x > 0) & (canvas.y < 0)])) == {Tissue.FAT}
    assert not canvas.label.any()  # the cyst carried no label


def test_shape_outside_the_canvas_paints_nothing(canvas):
    canvas.paint(Tissue.LIVER, canvas.ellipsoid((500, 0, 0), (9, 9, 9)))
    canvas.paint(Tissue.LIVER, canvas.tube([(500, 0, 0), (600, 0, 0)], 9))
    assert not canvas.tissue.any()


def test_voxels_are_means_and_labels_majorities():
    fine = np.zeros((2, 2, 4), np.uint8)
    fine[..., :2] = 6
    fine[0, 0, 2:] = 1  # 2 of 8 sub-voxels
    np.testing.assert_array_equal(_majority(fine), [[[6, 0]]])
    np.testing.assert_allclose(voxel_mean(fine.astype(np.float32)), [[[6, 0.25]]])


def test_variation_is_small_and_of_the_right_shape():
    vary = Variation(np.random.default_rng(0))
    assert vary.at([(0, 0, 0), (1, 1, 1)]).shape == (2, 3)
    assert np.all(np.abs(np.log(vary.size((10, 20, 30)) / (10, 20, 30))) < 0.5)
    assert vary.chance(1) and not vary.chance(0)
