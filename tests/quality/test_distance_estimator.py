"""The estimated HD95 follows the distances, and the interval holds new patients."""

import numpy as np

from mass_nnunet.quality.distance_estimator import fit_distances
from mass_nnunet.quality.distances import FARTHEST, as_log


def samples(patients, seed=0, count=40, noise=0.2):
    """HD95, its logarithm with a patient's own offset and noise, and a number that says nothing."""
    generator = np.random.default_rng(seed)
    hd95 = np.exp(generator.uniform(0, 5, patients * count))
    names = [f"patient{i // count}" for i in range(len(hd95))]
    offset = np.repeat(generator.normal(0, noise, patients), count)
    seen = np.array([as_log(one) for one in hd95]) + offset + generator.normal(0, noise, len(hd95))
    return np.stack([seen, generator.random(len(hd95))], 1), hd95, names, [0.6] * len(hd95), [False] * len(hd95)


def test_the_estimate_is_near_the_truth():
    found = fit_distances(*samples(6))
    features, hd95, *_ = samples(6, seed=1)
    ratio = (found.estimate(features) + 5) / (hd95 + 5)
    assert np.exp(np.abs(np.log(ratio)).mean()) < 1.35


def test_the_interval_holds_new_patients_and_widens_where_none_is_like():
    held = []
    for seed in range(10):
        found = fit_distances(*samples(8, seed))
        features, hd95, *_ = samples(5, seed + 100)
        low, high = found.interval(features, 0.6)
        held.append(((low <= hd95) & (hd95 <= high)).mean())
        assert (found.interval(features, 0.4)[1] >= high).all()
    assert np.mean(held) > 0.83


def test_an_estimate_is_within_what_is_possible():
    found = fit_distances(*samples(4))
    values = found.estimate(np.array([[-50.0, 0.0], [50.0, 0.0]]))
    np.testing.assert_allclose(values, [0.0, FARTHEST], atol=1e-9)
    assert not np.signbit(values).any()
