"""HD95 on a coarse grid against distances that one can count."""

from types import SimpleNamespace

import numpy as np
import pytest

from mass_nnunet.evaluation.surface import surface_distances
from mass_nnunet.quality.distances import FARTHEST, KnownSurfaces, Surface, as_log, surfaces_of

SHAPE, EDGES = (12, 16, 16), (5.0, 4.0, 4.0)


def box(start, size=4):
    found = np.zeros(SHAPE, np.float32)
    found[4 : 4 + size, 4 : 4 + size, start : start + size] = 1
    return found


def known(*starts, likeness=(0.9, 0.1), opinion=4):
    scans = [
        SimpleNamespace(shares=np.stack([1 - box(start), box(start)]), likeness=like)
        for start, like in zip(starts, likeness, strict=True)
    ]
    after = np.stack([1 - box(opinion), box(opinion)])
    case = SimpleNamespace(edges=EDGES)
    return KnownSurfaces(SimpleNamespace(laid=dict(enumerate(scans)), case=case, after=after))


def own(organ):
    return surfaces_of(np.stack([1 - organ, organ]), EDGES)


def test_it_is_the_distance_of_the_evaluation():
    one, other = box(4), box(7, 5)
    expected = surface_distances(one > 0.5, other > 0.5, EDGES).hd95
    assert Surface(one, EDGES).hd95(Surface(other, EDGES)) == pytest.approx(expected)
    assert Surface(one, EDGES).hd95(Surface(0 * one, EDGES)) is None


def test_the_features_are_logarithms_of_distances():
    found = known(4, 4).features(own(box(6)))
    np.testing.assert_allclose(found, [[as_log(8.0), as_log(8.0)]], rtol=1e-6)
    assert as_log(None) == as_log(FARTHEST)


def test_annotations_count_by_likeness():
    found = known(4, 10).features(own(box(4)))
    assert as_log(0.0) <= found[0, 0] < as_log(0.1)
    equal = known(4, 10, likeness=(0.5, 0.5)).features(own(box(4)))
    assert equal[0, 0] == pytest.approx((as_log(0.0) + as_log(24.0)) / 2)


def test_what_fills_no_voxel_has_no_distance():
    assert np.isnan(known(4, 4).features(own(0.4 * box(6)))).all()
