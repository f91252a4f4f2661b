import numpy as np

from mass_nnunet.dataset_conversion.checks.ends import blunt_ends, left_out, unannotated_ends


def test_an_organ_tapers_off_or_ends_bluntly():
    assert blunt_ends(np.array([1, 5, 9, 6])).tolist() == [False, True]
    assert blunt_ends(np.array([4])).tolist() == [True, True]


def labels(*areas: int) -> np.ndarray:
    values = np.zeros((len(areas), 1, 20), np.uint8)
    for z, area in enumerate(areas):
        values[z, 0, :area] = 1
    return values


def test_slices_beyond_a_blunt_end_are_not_annotated():
    assert unannotated_ends(labels(0, 0, 9, 9, 3, 0)) == (2, 0)
    assert unannotated_ends(labels(9, 9, 9, 0, 0, 0)) == (0, 3)
    assert unannotated_ends(labels(0, 2, 9, 9, 2, 0)) == (0, 0)
    assert unannotated_ends(labels(0, 0)) == (0, 0)


def test_an_organ_that_ends_bluntly_elsewhere_tells_nothing_of_the_ends():
    values = labels(0, 2, 9, 9, 2, 0)
    values[2:4, 0, 15:18] = 2
    assert unannotated_ends(values) == (0, 0)


def test_slices_between_annotated_ones_were_left_out_if_there_are_several_gaps():
    for absent, count in (("0101010", 3), ("00100", 0), ("0011100", 0), ("0110110", 4), ("000", 0)):
        assert left_out(np.array([letter == "1" for letter in absent])) == count
