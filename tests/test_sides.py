import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.sides import absent_organs, check_sides, leftward_positions
from mass_nnunet.errors import UserError
from mass_nnunet.organs import LABELS
from native_trees import AXIS_CODES, BOXES, SHARED_DATA, mirrored, organs


def swapped(first: str, second: str) -> sitk.Image:
    values = dict(LABELS)
    values[first], values[second] = values[second], values[first]
    return organs(values)


def test_position_is_the_centroid_in_millimetres():
    # Liver: voxels 2..10 along x, 1.5 mm each, from -20 mm.
    assert leftward_positions(organs(LABELS))["liver"] == pytest.approx(-20 + 6 * 1.5)


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_every_orientation_passes(codes):
    check_sides(sitk.DICOMOrient(organs(LABELS), codes), "case", "file")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (mirrored(organs(LABELS)), "right kidney is not to the right of the left kidney"),
        (swapped("right_kidney", "left_kidney"), "right kidney is not to the right of the left kidney"),
        (swapped("liver", "spleen"), "liver is not to the right of the spleen"),
    ],
)
def test_wrong_sides_name_case_and_file(label, message):
    with pytest.raises(UserError, match=f"case_1: .*{message} in label.nii.gz"):
        check_sides(label, "case_1", "label.nii.gz")


@pytest.mark.parametrize(
    ("right", "left", "message"),
    [(slice(17, 20), slice(21, 24), "spleen is not on"), (slice(0, 3), slice(4, 7), "liver is not on")],
)
def test_liver_and_spleen_lie_on_either_side_of_the_kidneys(right, left, message):
    boxes = {**BOXES, "right_kidney": np.s_[:2, 14:19, right], "left_kidney": np.s_[:2, 14:19, left]}
    with pytest.raises(UserError, match=message):
        check_sides(organs(LABELS, boxes), "case", "file")


def test_absent_organs():
    assert absent_organs({0, 1, 4}) == ["right_kidney", "left_kidney"]
    assert absent_organs({0, 1, 2, 3, 4}) == []


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")
def test_sixteen_real_scans_pass_and_their_mirror_images_do_not():
    files = sorted((SHARED_DATA / "chaos_t2_mr").glob("label_*.nii.gz"))
    assert len(files) == 16
    for path in files:
        label = sitk.ChangeLabel(sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkUInt8), {1: 4, 2: 2, 3: 3, 4: 1})
        check_sides(label, path.name, path)
        flipped = sitk.GetImageFromArray(sitk.GetArrayFromImage(label)[:, :, ::-1])
        flipped.CopyInformation(label)
        with pytest.raises(UserError, match="right kidney"):
            check_sides(flipped, path.name, path)
