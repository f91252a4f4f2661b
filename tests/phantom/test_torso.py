"""The torso without random differences, on a coarse grid of the reference body."""

import numpy as np
import pytest

from mass_nnunet.phantom import torso
from mass_nnunet.phantom.tissues import Tissue
from reference_body import reference_body


@pytest.fixture(scope="module")
def body():
    canvas, vary = reference_body()
    torso.paint_wall(canvas, vary, 1.0)
    torso.paint_spine(canvas, vary)
    torso.paint_chest(canvas, vary)
    return canvas


def test_the_wall_encloses_the_cavity(body):
    """No point of the cavity has air beside it."""
    assert body.cavity.any()
    for axis in range(3):
        for step in (1, -1):
            beside = np.roll(body.tissue, step, axis)
            assert not (body.cavity & (beside == Tissue.AIR)).any()


def test_the_muscular_torso_has_its_measures(body):
    inside = (body.tissue != Tissue.AIR) & (body.tissue != Tissue.TABLE)
    width, depth = (np.ptp(axis[inside]) for axis in (body.x, body.y))
    assert 2 * torso.WALL[0] < width < 2 * torso.WALL[0] + 60
    assert 2 * torso.WALL[1] < depth < 2 * torso.WALL[1] + 60


def test_lungs_and_heart_lie_above_the_diaphragm_and_out_of_the_cavity(body):
    for tissue in (Tissue.LUNG, Tissue.HEART):
        there = body.tissue == tissue
        assert there.any() and not (there & body.cavity).any()
        assert body.z[there].mean() > body.z[body.cavity].mean() + 50


def test_the_spine_lies_behind_with_the_cord_in_its_canal(body):
    marrow, cord, fluid = (body.tissue == t for t in (Tissue.MARROW, Tissue.SPINAL_CORD, Tissue.SPINAL_FLUID))
    assert cord.sum() < fluid.sum()
    assert np.abs(body.x[cord]).max() < 10
    assert body.y[cord].mean() > 60 > body.y[marrow & (np.abs(body.x) < 20)].mean() > 20


def test_the_table_is_behind_the_body(body):
    assert body.y[body.tissue == Tissue.TABLE].min() > 40
