import numpy as np
import pytest

from mass_nnunet.training.patch import organ_box


@pytest.mark.parametrize(
    ("first", "last", "start"),
    [(6, 9, 4), (4, 6, 1), (0, 1, 0), (18, 19, 12)],  # organs in the middle, near one end, at it, at the other one
)
def test_box_is_around_the_organs_and_inside_of_the_scan(first, last, start):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[first : last + 1, 9:11, 9:11] = 1
    assert organ_box(labels, (8, 10, 20)) == [[start, start + 8], [5, 15], [0, 20]]


def test_a_scan_without_organs_and_one_that_is_smaller_than_the_patch():
    assert organ_box(np.zeros((20, 20, 20)), (8, 8, 8)) == [[6, 14]] * 3
    assert organ_box(np.ones((4, 20, 7)), (8, 20, 8)) == [[-2, 6], [0, 20], [-1, 7]]


def test_a_false_voxel_far_away_does_not_move_the_box():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:6, 9:11, 9:11] = 1
    box = organ_box(labels, (8, 10, 12))
    labels[19, 0, 19] = 1
    assert organ_box(labels, (8, 10, 12)) == box


def test_where_not_all_fits_no_box_holds_more():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (6, 9, 10)) * (rng.random((6, 9, 10)) < 0.2)
    patch = (3, 4, 12)
    held = {(z, y): int((labels[z : z + 3, y : y + 4] > 0).sum()) for z in range(6 - 3 + 1) for y in range(9 - 4 + 1)}
    assert len(set(held.values())) > 5
    (z, _), (y, _), x = organ_box(labels, patch)
    assert held[z, y] == max(held.values())
    assert x == [-1, 11]


def test_of_two_groups_of_organs_the_larger_one_is_in_the_box():
    labels = np.zeros((4, 4, 30), np.uint8)
    labels[:2, :2, :3], labels[:2, :2, 24:28] = 1, 2
    assert organ_box(labels, (4, 4, 8))[2] in ([20, 28], [21, 29], [22, 30])
    # Between equal ones too, a box holds one of them: the middle between them holds nothing.
    labels[:2, :2, :4] = 1
    (_, _, (start, stop)) = organ_box(labels, (4, 4, 8))
    assert (labels[:, :, start:stop] > 0).sum() == 16
