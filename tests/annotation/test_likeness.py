"""Distances between scans: by aspect, and together."""

from dataclasses import replace

import numpy as np
import pytest

from mass_nnunet.annotation import likeness
from mass_nnunet.annotation.description import Description
from mass_nnunet.annotation.likeness import compare


def description(seed=0, **changes) -> Description:
    image = np.random.default_rng(seed).normal(size=(8, 6, 6)).astype(np.float32)
    tissue = np.array([0.4, 0.7, 1.0, 1.2, 1.5, 1.9])
    scan = Description((300.0, 300.0, 400.0), (5.0, 1.0, 1.0), (250.0, 350.0), tissue, image)
    return replace(scan, **changes)


def test_equal_scans_have_no_distance():
    found = compare([description(), description(), description()], is_ct=False)
    assert found.distance == pytest.approx(np.zeros((3, 3)), abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "aspect"),
    [
        ({"extent": (600.0, 300.0, 400.0)}, "field of view"),
        ({"spacing": (1.0, 1.0, 1.0)}, "resolution"),
        ({"body": (150.0, 220.0)}, "size of the body"),
        ({"tissue": np.array([0.1, 0.7, 1.0, 1.9, 2.8, 4.0])}, "intensities"),
        ({"seed": 1}, "anatomy"),
    ],
)
def test_the_aspect_in_which_scans_differ_is_named(changes, aspect):
    scans = [description(), description(), description(), description(), description(**changes)]
    found = compare(scans, is_ct=False)
    assert found.main_aspect(0, 4) == aspect
    assert found.distance[0, 4] > found.distance[0, 1]
    assert (found.distance == found.distance.T).all()


def test_noise_is_not_blown_up_to_a_difference():
    scans = [description(spacing=(5.0, 1.0, 1.0 + 1e-4 * i)) for i in range(4)]
    assert compare(scans, is_ct=False).distance.max() < 0.01


def test_a_part_is_compared_with_what_it_shows():
    whole = description(image=np.random.default_rng(3).normal(size=(12, 6, 6)).astype(np.float32))
    part = replace(whole, image=whole.image[4:10], extent=(150.0, 300.0, 400.0))
    other = replace(part, image=description(seed=9).image[:6])
    found = compare([whole, part, other], is_ct=False)
    assert found.aspects["anatomy"][0, 1] == pytest.approx(0, abs=1e-5)
    assert found.aspects["anatomy"][0, 2] > 0.5


def test_scans_that_cannot_be_aligned_are_as_far_as_the_farthest(monkeypatch):
    scans = [description(), description(seed=1), description(seed=2)]
    before = compare(scans, is_ct=True).aspects["anatomy"]
    align, strange = likeness.best_alignment, scans[2].image[0, 0, 0]
    monkeypatch.setattr(likeness, "best_alignment", lambda m, f: None if m[0, 0, 0] == strange else align(m, f))
    found = compare(scans, is_ct=True)
    assert np.isfinite(found.distance).all()
    assert found.aspects["anatomy"][0, 2] == found.aspects["anatomy"][1, 2] == found.aspects["anatomy"].max()
    assert found.aspects["anatomy"][0, 2] != before[0, 2]


def test_an_outlier_is_unlike_and_no_more():
    scans = [description(tissue=np.array([0.4, 0.7, 1.0, 1.2, 1.5, 1.9]) * (1 + 0.1 * i)) for i in range(6)]
    for strange in (20.0, 2000.0):
        found = compare([*scans, description(tissue=np.full(6, strange), extent=(strange, 1.0, 1.0))], is_ct=False)
        assert found.distance[0, 6] == likeness.LARGEST
        assert found.main_aspect(0, 6) == "intensities"


def test_one_scan_alone():
    assert compare([description()], is_ct=True).distance.tolist() == [[0.0]]
