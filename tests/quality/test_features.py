"""Features of segmentations against numbers that one can count."""

from types import SimpleNamespace

import numpy as np
import pytest

from mass_nnunet.quality.features import CANDIDATES, FEATURES, dice, features

SHAPE = (8, 12, 12)


def box(*sides):
    found = np.zeros(SHAPE, np.float32)
    found[tuple(slice(*side) for side in sides)] = 1
    return found


TRUTH = box((2, 6), (2, 6), (2, 6))


def evidence(image=None, likeness=(0.9, 0.1)):
    """One annotated scan that is right, and one that is less alike and has nothing."""
    scans = [
        SimpleNamespace(shares=np.stack([1 - organ, organ]), likeness=like)
        for organ, like in zip((TRUTH, 0 * TRUTH), likeness, strict=True)
    ]
    case = SimpleNamespace(image=TRUTH * 0.5 if image is None else image, voxel_ml=1.0)
    after = np.stack([1 - TRUTH, TRUTH])
    return SimpleNamespace(laid=dict(enumerate(scans)), case=case, after=after, volumes=np.array([64.0]))


def of(organ, known=None):
    found = features(np.stack([1 - organ, organ]), known or evidence(), CANDIDATES)
    return dict(zip(CANDIDATES, found[0], strict=True))


def test_the_truth_agrees():
    found = of(TRUTH)
    assert found["agreement"] == pytest.approx(1, abs=1e-5)
    assert found["expected"] == pytest.approx(1, abs=1e-5)
    assert found["scattered"] == found["unusual_volume"] == 0
    assert found["contrast"] == 3


def test_the_agreement_is_weighted_by_likeness():
    assert of(TRUTH, evidence(likeness=(0.5, 0.5)))["agreement"] == pytest.approx(0.5)


def test_errors_are_counted():
    half = TRUTH * (np.arange(12) < 4)
    assert of(half)["agreement"] == pytest.approx(2 / 3, abs=1e-5)
    assert of(half)["unusual_volume"] == pytest.approx(np.log(65 / 33))
    assert of(TRUTH + box((6, 8), (9, 11), (9, 11)))["scattered"] == pytest.approx(8 / 72)
    assert of(TRUTH, evidence(image=np.zeros(SHAPE, np.float32)))["contrast"] == 0


def test_nothing_agrees_with_nothing():
    found = of(0 * TRUTH)
    assert found["agreement"] < 1e-5
    assert found["scattered"] == 1
    assert found["contrast"] == 0
    assert dice(0 * TRUTH, 0 * TRUTH) == 1


def test_the_features_of_the_estimate_are_among_the_candidates():
    assert set(FEATURES) <= set(CANDIDATES)
    assert features(np.stack([1 - TRUTH, TRUTH]), evidence()).shape == (1, len(FEATURES))
