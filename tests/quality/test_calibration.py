"""The calibration is kept as numbers, and real predictions count."""

import json
from dataclasses import replace

import numpy as np

from mass_nnunet.quality import calibration
from mass_nnunet.quality.alignment import Laid
from mass_nnunet.quality.calibration import Calibration, Samples, columns
from mass_nnunet.quality.evidence import Evidence, Reference
from two_organs import scan


def test_a_calibration_survives_json(calibrated):
    found = calibrated.calibration
    again = Calibration.from_json(json.loads(json.dumps(found.as_json())))
    assert again.usual == found.usual
    inputs = np.array([[0.5, 0.5], [0.9, 0.8]])
    np.testing.assert_array_equal(again.estimator.estimate(inputs), found.estimator.estimate(inputs))
    assert again.estimator.width == found.estimator.width
    distances = np.array([[2.0, 3.0]])
    np.testing.assert_array_equal(again.distance.estimate(distances), found.distance.estimate(distances))
    without = replace(found, distance=None)
    assert Calibration.from_json(json.loads(json.dumps(without.as_json()))).distance is None
    assert found.estimator.patients == 3
    assert found.usual.order  # the liver is right of the spleen, for example


def test_samples_know_what_is_real():
    case, shares = scan()
    laid = {"other": Laid(shares, case.image, shares[0] > 0, case.image, shares[0] >= 0)}
    reference, evidence = Reference(case, shares, "one"), Evidence(case, laid, shares, shares)
    samples = Samples()
    samples.add(reference, evidence, [shares], 0)
    for table, best in ((samples.overlap, 1.0), (samples.distance, 0.0)):
        features, true, patients, likeness, real = columns(table)
        assert sum(real) == 2
        assert set(patients) == {"one"}
        assert true[-2:].tolist() == [best, best]
        assert len(features) == len(true) == len(likeness) > 20


def test_an_empty_segmentation_has_a_dice_and_no_distance():
    case, shares = scan()
    laid = {"other": Laid(shares, case.image, shares[0] > 0, case.image, shares[0] >= 0)}
    samples = Samples()
    nothing = np.stack([np.ones_like(shares[0]), 0 * shares[1], shares[2]])
    samples.add_real(Reference(case, shares, "one"), Evidence(case, laid, shares, shares), [nothing])
    assert [one.true for one in samples.overlap] == [0.0, 1.0]
    assert [one.true for one in samples.distance] == [0.0]
    assert samples.fit_distances() is None  # of one patient


def test_no_scan_of_the_same_patient_is_used(calibrated, monkeypatch):
    seen = []
    gather = calibration.gather
    monkeypatch.setattr(calibration, "gather", lambda scan, others: seen.append(list(others)) or gather(scan, others))
    twice = {name: replace(r, patient="one" if name != "ct2" else "two") for name, r in calibrated.references.items()}
    found = calibration.calibrate(twice, {})
    assert seen == [["ct2"], ["ct2"], ["ct0", "ct1"]]
    assert found.estimator.patients == 2
