"""BTCV's numbers and paths."""

from pathlib import Path

import pytest

from mass_nnunet.phantom.btcv_tree import TEST, TRAIN, image_path, label_path, train_numbers
from mass_nnunet.phantom.btcv_tree import test_numbers as numbers_without_labels


def test_the_first_numbers_are_btcvs():
    assert train_numbers(30) == [*range(1, 11), *range(21, 41)]
    assert numbers_without_labels(20) == list(range(61, 81))


@pytest.mark.parametrize("amount", [0, 7, 60, 1200])
def test_no_number_is_in_both_parts_or_twice(amount):
    train, test = train_numbers(amount), numbers_without_labels(amount)
    assert len({*train, *test}) == 2 * amount


def test_paths_are_those_of_the_release():
    assert image_path(TRAIN, 7) == Path("BTCV/RawData/Training/img/img0007.nii.gz")
    assert label_path(TRAIN, 7) == Path("BTCV/RawData/Training/label/label0007.nii.gz")
    assert image_path(TEST, 1002) == Path("BTCV/RawData/Testing/img/img1002.nii.gz")
