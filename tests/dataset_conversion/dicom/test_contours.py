import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from dicom_export import outlines, write_structures
from mass_nnunet.dataset_conversion.dicom.contours import contour_mask
from mass_nnunet.errors import UserError
from native_trees import BTCV_VALUES, organs, scan

SQUARE = np.array([(2, 2), (9, 2), (9, 9), (2, 9)]) + 0.5
HOLE = np.array([(4, 4), (7, 4), (7, 7), (4, 7)]) + 0.5


def at(corners: np.ndarray, height: float = 2.0) -> np.ndarray:
    return np.array([scan().TransformContinuousIndexToPhysicalPoint((x, y, height)) for x, y in corners])


def mask(contours, slices, stack, tmp_path) -> np.ndarray:
    path = write_structures(tmp_path / "rt", {"a": contours}, slices)
    return contour_mask(dcmread(path), [1], stack, "series 2")


def test_voxels_with_their_centre_inside(slices, stack, tmp_path):
    found = mask([at(SQUARE)], slices, stack, tmp_path)
    assert np.argwhere(found).min(axis=0).tolist() == [2, 3, 3]
    assert np.argwhere(found).max(axis=0).tolist() == [2, 9, 9]
    assert found.sum() == 49


def test_a_contour_in_another_one_is_a_hole(slices, stack, tmp_path):
    assert mask([at(SQUARE), at(HOLE)], slices, stack, tmp_path).sum() == 49 - 9


def test_a_contour_that_is_there_twice_is_no_hole(slices, stack, tmp_path):
    again = np.roll(at(SQUARE)[::-1], 1, axis=0)  # from another point, the other way round
    assert mask([at(SQUARE), again, at(HOLE)], slices, stack, tmp_path).sum() == 49 - 9


@pytest.mark.parametrize(
    ("height", "message"), [(2.5, "not in the slices of its scan"), (8.0, "has labels outside its scan")]
)
def test_contours_elsewhere(height, message, slices, stack, tmp_path):
    with pytest.raises(UserError, match=f"series 2 .*{message}"):
        mask([at(SQUARE, height)], slices, stack, tmp_path)


def test_contours_without_area_are_passed_over(slices, stack, tmp_path):
    assert not mask([at(SQUARE)[:1]], slices, stack, tmp_path).any()


def test_organs_come_back_as_they_were_drawn(slices, stack, tmp_path):
    label = organs(BTCV_VALUES)
    found = mask(outlines(label, 6), slices, stack, tmp_path)
    assert np.array_equal(found, sitk.GetArrayFromImage(label) == 6)


def test_slices_that_were_left_out_are_no_background(slices, stack, tmp_path):
    assert len(stack.planes) == 6
    with pytest.raises(UserError, match=r"^series 2 has a structure in 3 of 5 slices: interpolate"):
        mask([at(SQUARE, height) for height in (0, 2, 4)], slices, stack, tmp_path)
    found = mask([at(SQUARE, height) for height in (0, 1, 2, 4, 5)], slices, stack, tmp_path)
    assert found.any((1, 2)).tolist() == [True, True, True, False, True, True]
