import numpy as np
import pytest

from mass_nnunet.training.patch import organ_box


@pytest.mark.parametrize(
    ("first", "last", "start"),
    [(4, 6, 1), (0, 1, 0), (18, 19, 12)],  # organs in the middle, at one end, at the other one
)
def test_box_is_around_the_organs_and_inside_of_the_scan(first, last, start):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[first : last + 1, 9:11, 9:11] = 1
    assert organ_box(labels, (8, 10, 20)) == [[start, start + 8], [5, 15], [0, 20]]


def test_a_scan_without_organs_and_one_that_is_smaller_than_the_patch():
    assert organ_box(np.zeros((20, 20, 20)), (8, 8, 8)) == [[6, 14]] * 3
    assert organ_box(np.ones((4, 20, 7)), (8, 20, 8)) == [[-2, 6], [0, 20], [-1, 7]]
