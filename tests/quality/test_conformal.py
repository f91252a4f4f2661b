"""The width of an interval is what the errors of left-out patients ask for."""

import numpy as np
import pytest

from mass_nnunet.quality.conformal import LEVEL, balanced, distrust, half_width


def width(numbers, counts=None):
    """Half the width where each patient has samples with the same residual."""
    counts = [10] * len(numbers) if counts is None else counts
    patients = [f"patient{i:02d}" for i, count in enumerate(counts) for _ in range(count)]
    residuals = np.repeat(numbers, counts)
    return half_width(patients, balanced(patients, [False] * len(patients)), lambda left: residuals[left])


def test_of_few_patients_the_largest_residual_counts():
    assert width([0.1, 0.4, 0.2]) == (0.4, 3)
    residuals, patients = np.arange(80) / 100, [str(i // 10) for i in range(80)]
    assert half_width(patients, np.ones(80), lambda left: residuals[left]) == (0.79, 8)


def test_it_is_the_corrected_quantile_of_all_residuals():
    assert width(np.arange(1, 21) / 10) == (pytest.approx(1.9), 20)  # 0.9 of 21
    rng = np.random.default_rng(0)
    residuals, patients = rng.exponential(size=600), [str(i // 50) for i in range(600)]
    found, count = half_width(patients, np.ones(600), lambda left: residuals[left])
    assert count == 12
    assert found == np.sort(residuals)[round(LEVEL * 13 / 12 * 600) - 1]


def test_a_patient_of_many_samples_counts_as_one():
    numbers = np.arange(1, 21) / 10
    assert width(numbers, [500 if i == 19 else 3 for i in range(20)]) == width(numbers)


def test_intervals_hold_as_much_as_they_are_to_hold_in_new_patients():
    """Patients differ in how large their errors are."""
    rng, held = np.random.default_rng(1), []
    for _ in range(300):
        spread = rng.lognormal(0, 0.4, 13)
        errors = np.abs(rng.normal(size=(13, 40))) * spread[:, None]
        known = errors[:12].ravel()
        patients = [str(i) for i in range(12) for _ in range(40)]
        found, _ = half_width(patients, np.ones(480), lambda left, known=known: known[left])
        held.append((errors[12] <= found).mean())
    assert LEVEL < np.mean(held) < 0.98


def test_one_patient_is_too_few():
    with pytest.raises(ValueError, match="two patients"):
        width([0.1])


def test_patients_count_alike_and_real_ones_as_much_as_synthetic_ones():
    found = balanced(["a"] * 4 + ["b"] * 2, [True, False, False, False, False, False])
    np.testing.assert_allclose(found, [0.5, 1 / 6, 1 / 6, 1 / 6, 0.5, 0.5])


def test_what_is_unlike_is_trusted_less():
    assert distrust(0.6) == 1
    assert distrust(0.3) == pytest.approx(np.e)
