"""The estimate follows the features, and the interval holds what it is to hold."""

import numpy as np
import pytest

from mass_nnunet.quality.conformal import LEVEL
from mass_nnunet.quality.estimator import fit, spread


def samples(scans, seed=0, count=60, noise=0.1):
    """One feature that is Dice with noise, a scan's own offset, and one that says nothing."""
    generator = np.random.default_rng(seed)
    dice = generator.random(scans * count)
    names = [f"scan{i // count}" for i in range(scans * count)]
    offset = np.repeat(generator.normal(0, noise, scans), count)
    seen = dice + offset + generator.normal(0, noise / 2, len(dice))
    return np.stack([seen, generator.random(len(dice))], 1), dice, names, [0.6] * len(dice)


def test_the_estimate_is_near_the_truth():
    found = fit(*samples(6))
    features, dice, *_ = samples(6, seed=1)
    estimated = found.estimate(features)
    assert np.corrcoef(estimated, dice)[0, 1] > 0.9
    assert np.abs(estimated - dice).mean() < 0.12
    assert found.patients == 6


@pytest.mark.parametrize("scans", [3, 12])
def test_the_interval_holds_new_scans(scans):
    held = []
    for seed in range(20):
        found = fit(*samples(scans, seed, 40))
        features, dice, *_ = samples(5, seed + 100, 40)
        low, high = found.interval(found.estimate(features), 0.6)
        held.append(((low <= dice) & (dice <= high)).mean())
    assert np.mean(held) > LEVEL - 0.07


def test_the_interval_is_widest_in_the_middle():
    found = fit(*samples(6))
    low, high = found.interval(np.array([0.02, 0.5, 0.98]), 0.6)
    assert (high - low).argmax() == 1
    assert low.min() >= 0 and high.max() <= 1
    assert spread(np.array([0.5]), 0.6) > spread(np.array([0.9]), 0.6)
    assert spread(np.array([0.5]), 0.3) > 2 * spread(np.array([0.5]), 0.6)


def test_a_real_prediction_counts_as_much_as_all_synthetic_errors():
    features, dice, scans, likeness = samples(4)
    shifted = np.vstack([features, features[::60]])
    biased = np.concatenate([dice, np.clip(dice[::60] - 0.4, 0, 1)])
    names, like = scans + scans[::60], likeness + likeness[::60]
    real = [False] * len(dice) + [True] * 4
    without, with_real = fit(shifted, biased, names, like), fit(shifted, biased, names, like, real)
    assert with_real.estimate(features).mean() < without.estimate(features).mean() - 0.05


def test_one_scan_is_too_few():
    with pytest.raises(ValueError, match="two patients"):
        fit(*samples(1))
