"""The calibration is kept as numbers, and real predictions count."""

import json

import numpy as np

from mass_nnunet.quality.alignment import Laid
from mass_nnunet.quality.calibration import Calibration, Samples
from mass_nnunet.quality.evidence import Evidence, Reference
from two_organs import scan


def test_a_calibration_survives_json(calibrated):
    found = calibrated.calibration
    again = Calibration.from_json(json.loads(json.dumps(found.as_json())))
    assert again.usual == found.usual
    inputs = np.array([[0.5, 0.5], [0.9, 0.8]])
    np.testing.assert_array_equal(again.estimator.estimate(inputs), found.estimator.estimate(inputs))
    assert again.estimator.width == found.estimator.width
    assert found.estimator.scans == 3
    assert found.usual.order  # the liver is right of the spleen, for example


def test_samples_know_what_is_real():
    case, shares = scan()
    laid = {"other": Laid(shares, case.image, shares[0] > 0, case.image)}
    reference, evidence = Reference(case, shares), Evidence(case, laid, shares, shares, np.ones(2))
    samples = Samples(("expected",))
    samples.add("one", reference, evidence, [shares], 0)
    assert samples.real.count(True) == 2
    assert set(samples.scans) == {"one"}
    assert samples.dice[-2:] == [1.0, 1.0]
    assert len(samples.features) == len(samples.dice) == len(samples.likeness) > 20
