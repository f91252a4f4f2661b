from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.checks.inspection import measure
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import BOXES, ORIGIN, SHAPE, SPACING, organs, scan, volume

SOURCE = Path("scan.nii.gz")


def ras(image: sitk.Image) -> sitk.Image:
    return sitk.DICOMOrient(image, "RAS")


def measured(image: sitk.Image, label: sitk.Image | None = None):
    return measure(ras(image), None if label is None else ras(label), LABELS, "MRI", SOURCE)


def test_grid_and_intensities():
    measures, _ = measured(scan())
    values = sitk.GetArrayFromImage(scan())
    assert measures.size == SHAPE
    assert measures.spacing == pytest.approx(SPACING[::-1])
    intensity = measures.intensity
    assert (intensity["min"], intensity["max"]) == (values.min(), values.max())
    expected = np.percentile(values, (0.5, 50, 99.5))
    assert [intensity["low"], intensity["median"], intensity["high"]] == pytest.approx(expected)
    assert measures.organs is None


def test_organs_in_millilitres_and_millimetres():
    measures, _ = measured(scan(), organs(LABELS))
    assert list(measures.organs) == list(BOXES.keys() & LABELS.keys()) or set(measures.organs) == set(BOXES)
    liver = measures.organs["liver"]
    assert liver.volume_ml == pytest.approx(4 * 9 * 9 * np.prod(SPACING) / 1000)
    # Voxels 2..10 along x and 3..11 along y in LPS, 2..5 along z.
    middle = np.array(ORIGIN) + np.array([6, 7, 3.5]) * SPACING
    assert liver.centre_mm == pytest.approx(middle)
    inside = sitk.GetArrayFromImage(scan())[BOXES["liver"]]
    assert (liver.mean, liver.sd) == pytest.approx((inside.mean(), inside.std()))


@pytest.mark.parametrize(
    ("areas", "first", "cut"),
    [
        ((20, 90, 100, 40), 2, False),
        ((20, 90, 100, 90), 2, True),  # ends bluntly at slice 5 of 8
        ((20, 90, 100, 90), 4, False),  # ends bluntly with the scan
        ((90, 100, 20), 0, False),  # begins bluntly with the scan
        ((90, 100, 20), 1, True),
        ((100,), 3, True),
    ],
)
def test_an_organ_that_ends_bluntly_inside_of_the_scan(areas, first, cut):
    label = np.zeros((8, 10, 10), np.uint8)
    for z, area in enumerate(areas, first):
        label[z].ravel()[:area] = LABELS["liver"]
    image = volume(np.random.default_rng(0).normal(size=label.shape).astype(np.float32))
    measures, _ = measured(image, volume(label))
    assert measures.organs["liver"].cut_off is cut


@pytest.mark.parametrize(
    ("slices", "ignored", "left_out"),
    [
        ((0, 2, 4, 6), (), 3),  # every second slice
        ((0, 2, 4, 6), (1, 3, 5), 0),  # which the label says
        ((0, 1, 2, 6, 7), (), 0),  # an organ of two parts
        ((1, 2, 3, 4, 5), (), 0),
    ],
)
def test_slices_of_an_organ_that_were_left_out(slices, ignored, left_out):
    label = np.zeros((8, 10, 10), np.uint8)
    label[list(slices), 2:5, 2:5] = LABELS["liver"]
    label[list(ignored)] = 5
    image = volume(np.random.default_rng(0).normal(size=label.shape).astype(np.float32))
    measures, _ = measure(image, volume(label), {**LABELS, "ignore": 5}, "MRI", SOURCE)
    assert measures.organs["liver"].left_out == left_out


def test_content_is_of_the_voxels_not_of_the_header():
    first, _ = measured(scan())
    moved = scan()
    moved.SetOrigin((1.0, 2.0, 3.0))
    assert measured(moved)[0].content == first.content
    assert measured(sitk.DICOMOrient(scan(), "PIR"))[0].content == first.content
    other = scan()
    other[0, 0, 0] = other[0, 0, 0] + 1
    assert measured(other)[0].content != first.content


def test_preview_shows_the_patient_from_below_with_the_right_side_on_the_left():
    image, label = scan(), organs(LABELS)
    _, preview = measured(image, label)
    z = 2  # all four organs
    assert np.array_equal(preview.label, sitk.GetArrayFromImage(label)[z])  # LPS has these axes
    assert preview.image.shape == preview.label.shape
    assert preview.aspect == pytest.approx(SPACING[1] / SPACING[0])
    assert (preview.image.min(), preview.image.max()) == (0, 255)
    _, alone = measured(image)
    assert not alone.label.any()


def test_preview_is_small():
    big = volume(np.random.default_rng(0).normal(size=(2, 500, 400)).astype(np.float32))
    assert measured(big)[1].image.shape == (167, 134)


def test_scans_without_content():
    with pytest.raises(UserError, match=r"scan.nii.gz is empty, all its intensities are 7"):
        measured(volume(np.full(SHAPE, 7, np.float32)))


def test_a_scan_as_stored_has_the_same_content_and_picture_and_says_where_its_axes_point():
    image, label = scan(), organs(LABELS)
    turned, turned_preview = measured(image, label)
    measures, preview = measure(image, label, LABELS, "MRI", SOURCE, stored=True)
    assert turned.axes is None
    assert measures.axes == ((0, 0, 1), (0, 1, 0), (1, 0, 0))  # LPS
    assert measures.content == turned.content
    assert np.array_equal(preview.image, turned_preview.image)
    assert np.array_equal(preview.label, turned_preview.label)
    coronal = sitk.DICOMOrient(image, "LSP")
    measures, preview = measure(coronal, None, LABELS, "MRI", SOURCE, stored=True)
    assert (measures.size, measures.axes[0]) == ((SHAPE[1], SHAPE[0], SHAPE[2]), (0, 1, 0))
    # The head is on top, and the patient's right on the left.
    shown = sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LIP"))[SHAPE[1] // 2].astype(float)
    assert np.corrcoef(preview.image.ravel(), shown.ravel())[0, 1] > 0.99
