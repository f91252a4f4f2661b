"""Features of segmentations against numbers that one can count."""

from types import SimpleNamespace

import numpy as np
import pytest

from boxes import TRUTH
from mass_nnunet.quality.evidence import Evidence
from mass_nnunet.quality.features import FEATURES, dice, features, weights


def evidence(likeness=(0.9, 0.1)):
    """One annotated scan that is right, and one that is less alike and has nothing."""
    scans = [
        SimpleNamespace(shares=np.stack([1 - organ, organ]), likeness=like, judged=TRUTH >= 0)
        for organ, like in zip((TRUTH, 0 * TRUTH), likeness, strict=True)
    ]
    after = np.stack([1 - TRUTH, TRUTH])
    return Evidence(None, dict(enumerate(scans)), after, after)


def of(organ, known=None):
    found = features(np.stack([1 - organ, organ]), known or evidence())
    return dict(zip(FEATURES, found[0], strict=True))


def test_the_truth_agrees():
    found = of(TRUTH)
    assert found["agreement"] == pytest.approx(1, abs=1e-5)
    assert found["expected"] == pytest.approx(1, abs=1e-5)


def test_the_agreement_is_weighted_by_likeness():
    assert of(TRUTH, evidence(likeness=(0.5, 0.5)))["agreement"] == pytest.approx(0.5)


def test_errors_are_counted():
    half = TRUTH * (np.arange(12) < 4)
    assert of(half)["agreement"] == pytest.approx(2 / 3, abs=1e-5)
    assert of(half)["expected"] == pytest.approx(2 / 3, abs=1e-5)


def test_what_nobody_annotated_is_no_error():
    """The annotated scan ends in the middle of a segmentation that goes on as it should."""
    known = (TRUTH >= 0) & (np.arange(12) < 4)
    cut = np.stack([1 - TRUTH * known, TRUTH * known])
    scan = SimpleNamespace(shares=cut, likeness=0.9, judged=known)
    found = of(TRUTH, Evidence(None, {"cut": scan}, cut, cut))
    assert found["agreement"] == pytest.approx(1, abs=1e-5)
    assert found["expected"] == pytest.approx(1, abs=1e-5)
    scan.judged = TRUTH >= 0  # a whole scan
    whole = Evidence(None, {"whole": scan}, cut, cut)
    assert of(TRUTH, whole)["agreement"] < 0.7


def test_a_scan_that_does_not_show_the_organ_says_nothing():
    """An organ that lies where nobody annotated anything has no agreement, and others decide if there are any."""
    nothing = np.stack([TRUTH * 0 + 1, TRUTH * 0])
    blind = SimpleNamespace(shares=nothing, likeness=0.9, judged=TRUTH < 0)
    seen = SimpleNamespace(shares=np.stack([1 - TRUTH, TRUTH]), likeness=0.1, judged=TRUTH >= 0)
    alone = Evidence(None, {"blind": blind}, nothing, nothing)
    assert of(TRUTH, alone) == {"agreement": 0, "expected": 0}
    both = Evidence(None, {"blind": blind, "seen": seen}, seen.shares, seen.shares)
    assert of(TRUTH, both)["agreement"] == pytest.approx(1, abs=1e-3)


def test_nothing_agrees_with_nothing():
    found = of(0 * TRUTH)
    assert found["agreement"] < 1e-5
    assert dice(0 * TRUTH, 0 * TRUTH) == 1


def test_the_weights_sum_to_one_and_follow_likeness():
    found = weights(evidence(likeness=(0.6, 0.5)))
    assert found.sum() == pytest.approx(1)
    assert found[0] / found[1] == pytest.approx(np.exp(2))
