"""mass_nnunet.data.label_map: whatever a voxel value means is known, rounded or refused."""

from pathlib import Path

import numpy as np
import pytest

from label_maps import write_values
from mass_nnunet.data.label_map import (
    check_known,
    check_whole,
    known_values,
    mask_of,
    read_label_map,
    translated,
    whole_values,
)
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS

REGIONS = {"background": 0, "kidneys": [2, 3], "liver": 4, "ignore": 5}
FILE = Path("labels/a.nii.gz")


def test_values_that_labels_name():
    assert known_values(REGIONS) == {0, 2, 3, 4, 5}
    assert known_values({"liver": 1}) == {0, 1}
    values = np.array([0, 2, 3, 4])
    assert mask_of(values, REGIONS["kidneys"]).tolist() == [False, True, True, False]
    assert mask_of(values, 4).tolist() == [False, False, False, True]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_numbers_are_left_alone(dtype):
    values, notes = whole_values(np.arange(5, dtype=dtype), FILE)
    assert values.dtype == dtype and notes == ()
    assert whole_values(np.arange(5.0), FILE)[1] == ()


def test_nnunet_cuts_off_decimals(tmp_path):
    values = np.zeros((4, 4, 4))
    values[0] = 2
    for name, dtype in (("a", np.uint8), ("b", np.float32)):
        check_whole(write_values(tmp_path / f"{name}.nii.gz", values.astype(dtype)))
    values[0, 0, 0] = 1.9999
    file = write_values(tmp_path / "c.nii.gz", values)
    with pytest.raises(UserError, match=r"c.nii.gz holds the value 1.9999, of which nnU-Net cuts off the decimals"):
        check_whole(file)


@pytest.mark.parametrize(("value", "label"), [(2.9999999993, 3), (2.00003, 2), (2.999, 3), (-0.0004, 0)])
def test_what_is_close_to_a_whole_number_is_rounded_with_a_note(value, label):
    values, notes = whole_values(np.array([1.0, value]), FILE)
    assert values.tolist() == [1, label] and np.issubdtype(values.dtype, np.integer)
    assert notes == (f"{FILE} holds values close to whole numbers, such as {value}: they are rounded",)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5"), (1.0011, "1.0011"), (np.float32(2.0015), "2.0015"), (np.nan, "nan"), (np.inf, "inf")],
)
def test_what_is_no_whole_number_is_refused_with_all_its_digits(value, text):
    with pytest.raises(UserError, match=rf"a.nii.gz holds the value {text}, which is no known label"):
        whole_values(np.array([1, value], dtype=np.asarray(value).dtype), FILE)


@pytest.mark.parametrize("value", [6, -1, 300, 70_000, 2**31 - 1])
def test_values_without_a_name_are_refused(value):
    check_known(np.array([[0, 2], [4, 5]]), known_values(REGIONS), FILE)
    with pytest.raises(UserError, match=rf"a.nii.gz has value {value}, which dataset.json does not name"):
        check_known(np.array([[0, value], [4, 5]]), known_values(REGIONS), FILE)


def test_a_file(tmp_path):
    array = np.zeros((4, 5, 6))
    array[1, 2, 3] = 3.9999
    found = read_label_map(write_values(tmp_path / "a.nii.gz", array), LABELS)
    assert found.values.shape == array.shape and found.values[1, 2, 3] == 4 and found.values.sum() == 4
    assert found.image.GetSize() == (6, 5, 4) and len(found.notes) == 1
    array[0, 0, 0] = 9
    with pytest.raises(UserError, match=r"a.nii.gz has value 9, which dataset.json does not name"):
        read_label_map(write_values(tmp_path / "a.nii.gz", array), LABELS)


def test_values_of_another_program_become_ours_and_the_rest_background():
    values = np.array([[0, 5, 2], [3, 7, 1]])
    labels = {"background": 0, "spleen": 1, "kidneys": 2, "liver": 3}
    given = {"liver": 5, "kidneys": (2, 3), "spleen": ()}
    assert translated(values, given, labels).tolist() == [[0, 3, 2], [2, 0, 0]]
