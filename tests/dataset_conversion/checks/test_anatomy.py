import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.checks.anatomy import PLAUSIBLE_ML, doubtful, misplaced
from mass_nnunet.dataset_conversion.datasets.mmwhs import LABELS as HEART
from mass_nnunet.labels import LABELS
from native_trees import AXIS_CODES, BOXES, SHARED_DATA, mirrored, organs


def centres(label: sitk.Image) -> dict[str, tuple[float, float, float]]:
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(label)
    return {name: statistics.GetCentroid(value) for name, value in LABELS.items() if statistics.HasLabel(value)}


def swapped(first: str, second: str) -> sitk.Image:
    values = dict(LABELS)
    values[first], values[second] = values[second], values[first]
    return organs(values)


def flipped(axis: int) -> sitk.Image:
    """Voxels reversed along an axis (z, y, x) under an unchanged header."""
    image = organs(LABELS)
    result = sitk.GetImageFromArray(np.flip(sitk.GetArrayFromImage(image), axis))
    result.CopyInformation(image)
    return result


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_every_orientation_passes(codes):
    assert misplaced(centres(sitk.DICOMOrient(organs(LABELS), codes))) == []


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (mirrored(organs(LABELS)), "the right kidney is not to the right of the left kidney"),
        (swapped("right_kidney", "left_kidney"), "the right kidney is not to the right of the left kidney"),
        (swapped("liver", "spleen"), "the liver is not to the right of the spleen"),
        (flipped(0), "the kidneys are not below the liver"),
        (flipped(1), "the kidneys are not behind the liver"),
    ],
)
def test_what_is_misplaced_is_told(label, message):
    assert misplaced(centres(label))[0] == message


@pytest.mark.parametrize(
    ("right", "left", "message"),
    [(slice(17, 20), slice(21, 24), "spleen is not on"), (slice(0, 3), slice(4, 7), "liver is not on")],
)
def test_liver_and_spleen_lie_on_either_side_of_the_kidneys(right, left, message):
    boxes = {**BOXES, "right_kidney": np.s_[:2, 14:19, right], "left_kidney": np.s_[:2, 14:19, left]}
    (text,) = misplaced(centres(organs(LABELS, boxes)))
    assert message in text


def test_organs_that_are_absent_have_no_say():
    boxes = {organ: box for organ, box in BOXES.items() if organ != "left_kidney"}
    assert misplaced(centres(mirrored(organs(LABELS, boxes)))) == ["the liver is not to the right of the spleen"]
    assert misplaced({}) == []


def test_hearts_and_volumes_are_doubted_only():
    heart = dict.fromkeys(HEART, (0.0, 0.0, 0.0)) | {"right_ventricle": (9.0, 0.0, 0.0)}
    assert misplaced(heart) == []
    assert doubtful(heart, {}) == ["the right ventricle is not to the right of the left one"]
    assert doubtful({}, {"liver": 1500, "spleen": 4, "tumour": 1e9}) == ["spleen of 4 ml, where 30 to 1200 are usual"]
    assert set(PLAUSIBLE_ML) == (set(LABELS) | set(HEART)) - {"background"}


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")
def test_sixteen_real_scans_pass_and_their_mirror_images_do_not():
    files = sorted((SHARED_DATA / "chaos_t2_mr").glob("label_*.nii.gz"))
    assert len(files) == 16
    for path in files:
        label = sitk.ChangeLabel(sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkUInt8), {1: 4, 2: 2, 3: 3, 4: 1})
        assert misplaced(centres(label)) == []
        for axis in range(3):
            turned = sitk.GetImageFromArray(np.flip(sitk.GetArrayFromImage(label), axis))
            turned.CopyInformation(label)
            assert misplaced(centres(turned))
