"""CHAOS's numbers, gray values and file names."""

from types import SimpleNamespace

import numpy as np
import pytest

from mass_nnunet.labels import LABELS
from mass_nnunet.phantom.chaos_tree import GRAY_VALUES, file_stems, gray_labels, train_numbers
from mass_nnunet.phantom.chaos_tree import test_numbers as numbers_without_labels


def test_the_first_numbers_are_chaos_s():
    assert sorted([*train_numbers(20), *numbers_without_labels(20)]) == list(range(1, 41))
    assert train_numbers(3) == [1, 2, 3] and numbers_without_labels(2) == [4, 6]


@pytest.mark.parametrize("amount", [0, 20, 100])
def test_no_number_is_in_both_parts_or_twice(amount):
    assert len({*train_numbers(amount), *numbers_without_labels(amount)}) == 2 * amount


def test_gray_values_lie_in_the_published_intervals():
    """liver 55 to 70, right kidney 110 to 135, left kidney 175 to 200, spleen 240 to 255."""
    gray = gray_labels(np.arange(max(LABELS.values()) + 1, dtype=np.uint8))
    assert gray[0] == 0 and gray.dtype == np.uint8
    for name, (low, high) in {
        "liver": (55, 70),
        "right_kidney": (110, 135),
        "left_kidney": (175, 200),
        "spleen": (240, 255),
    }.items():
        assert low <= GRAY_VALUES[name] == gray[LABELS[name]] <= high


def test_the_two_t1_phases_are_numbered_alternately():
    for number in (1, 2):
        scans = dict.fromkeys(("T1IN", "T1OUT", "T2SPIR"), SimpleNamespace(image=np.zeros((4, 2, 2))))
        patient = SimpleNamespace(number=number, scans=scans)
        both = [set(file_stems(patient, sequence)) for sequence in ("T1IN", "T1OUT")]
        assert not both[0] & both[1]
        assert len(both[0] | both[1]) == 8
        assert len(set(file_stems(patient, "T2SPIR"))) == 4
