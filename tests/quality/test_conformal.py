"""The width of an interval is that of the patients who need the widest one."""

import numpy as np
import pytest

from mass_nnunet.quality.conformal import balanced, distrust, half_width


def width(numbers):
    """Half the width where each patient has ten samples with the same residual."""
    patients = [f"patient{i}" for i in range(len(numbers)) for _ in range(10)]
    residuals = np.repeat(numbers, 10)
    return half_width(patients, np.ones(len(patients)), lambda left: residuals[left])


def test_few_patients_ask_for_the_widest():
    assert width([0.1, 0.4, 0.2]) == (0.4, 3)


def test_many_patients_leave_the_worst_out():
    assert width(np.arange(1, 21) / 10) == (pytest.approx(1.9), 20)


def test_one_patient_is_too_few():
    with pytest.raises(ValueError, match="two patients"):
        width([0.1])


def test_patients_count_alike_and_real_ones_as_much_as_synthetic_ones():
    found = balanced(["a"] * 4 + ["b"] * 2, [True, False, False, False, False, False])
    np.testing.assert_allclose(found, [0.5, 1 / 6, 1 / 6, 1 / 6, 0.5, 0.5])


def test_what_is_unlike_is_trusted_less():
    assert distrust(0.6) == 1
    assert distrust(0.5) == pytest.approx(np.e)
