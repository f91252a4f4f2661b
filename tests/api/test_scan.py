"""Scans in memory: what fits becomes nnU-Net's array, and anything else is refused with one line."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.api.scan import as_scan
from mass_nnunet.errors import UserError

READER = "NibabelIOWithReorient"
ARRAY = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def image(array=ARRAY, spacing=(1.0, 2.0, 3.0)):
    found = sitk.GetImageFromArray(array)
    found.SetSpacing(spacing)
    return found


def test_an_array_is_taken_as_it_is():
    scan = as_scan(ARRAY, (3, 2, 1), READER, 1)
    np.testing.assert_array_equal(scan.array, ARRAY[None])
    assert scan.array.dtype == np.float32
    assert scan.spacing == (3.0, 2.0, 1.0)
    assert as_scan(np.stack([ARRAY, ARRAY]), (3, 2, 1), READER, 2).array.shape == (2, 2, 3, 4)


def test_an_image_is_turned_for_the_reader_that_turns():
    scan = as_scan(image(), None, READER, 1)
    np.testing.assert_array_equal(scan.array[0], ARRAY[:, ::-1, ::-1])  # from LPS to RAS
    assert scan.spacing == (3.0, 2.0, 1.0)
    labels = np.zeros((2, 3, 4), np.uint8)
    labels[0, 0, 0] = 1
    back = scan.label_image(labels)
    assert back.GetDirection() == image().GetDirection()
    assert sitk.GetArrayFromImage(back)[0, -1, -1] == 1
    np.testing.assert_array_equal(as_scan(image(), None, "SimpleITKIO", 1).array[0], ARRAY)


def test_channels_are_images_of_one_grid():
    assert as_scan([image(), image()], None, READER, 2).array.shape == (2, 2, 3, 4)
    with pytest.raises(UserError, match="lie on different grids"):
        as_scan([image(), image(spacing=(1.0, 2.0, 3.5))], None, READER, 2)


@pytest.mark.parametrize(
    ("scan", "spacing", "message"),
    [
        (ARRAY[0], (1, 1, 1), "has 2 axes: give"),
        (ARRAY, None, "array without spacing"),
        (ARRAY, (1, 1), "give three positive numbers"),
        (ARRAY, (1, 0, 1), "give three positive numbers"),
        (ARRAY, (1, float("nan"), 1), "give three positive numbers"),
        (np.stack([ARRAY, ARRAY]), (1, 1, 1), "has 2 channels: the model was trained on 1"),
        (np.full((2, 3, 4), np.nan), (1, 1, 1), "not finite"),
        (ARRAY.astype(complex), (1, 1, 1), "type complex128: give real numbers"),
        (np.full((2, 3, 4), "a"), (1, 1, 1), "give real numbers"),
        (ARRAY[:0], (1, 1, 1), "has no voxels"),
        (image(), (1, 1, 1), "has its own spacing"),
        (image(ARRAY[0], (1.0, 1.0)), None, "not one three-dimensional scan"),
        ("scan.nii.gz", None, "no NumPy array and no SimpleITK image"),
        ([], None, "no NumPy array and no SimpleITK image"),
    ],
)
def test_what_does_not_fit_is_one_line(scan, spacing, message):
    with pytest.raises(UserError, match=message) as caught:
        as_scan(scan, spacing, READER, 1)
    assert "\n" not in str(caught.value)
