"""BTCV's numbers and paths, and files that hold the synthetic scans."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.phantom import btcv_tree
from mass_nnunet.phantom.btcv_tree import TEST, TRAIN, image_path, label_path, train_numbers
from mass_nnunet.phantom.btcv_tree import test_numbers as numbers_without_labels
from mass_nnunet.phantom.patient import make_patient

SIZE = (9, 32, 40)


def test_the_first_numbers_are_btcvs():
    assert train_numbers(30) == [*range(1, 11), *range(21, 41)]
    assert numbers_without_labels(20) == list(range(61, 81))


@pytest.mark.parametrize("amount", [0, 7, 60, 2000])
def test_no_number_is_in_both_parts_or_twice(amount):
    train, test = train_numbers(amount), numbers_without_labels(amount)
    assert len({*train, *test}) == 2 * amount


def test_paths_are_those_of_the_release():
    assert image_path(TRAIN, 7) == Path("BTCV/RawData/Training/img/img0007.nii.gz")
    assert label_path(TRAIN, 7) == Path("BTCV/RawData/Training/label/label0007.nii.gz")
    assert image_path(TEST, 1002) == Path("BTCV/RawData/Testing/img/img1002.nii.gz")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_btcv_files_hold_the_synthetic_scan(tmp_path, number):
    patient = make_patient(0, number, "CT", SIZE)
    btcv_tree.write_patient(tmp_path, patient, labelled=True)
    scan = patient.scans["CT"]
    for path, expected in ((f"img/img000{number}", scan.image), (f"label/label000{number}", scan.btcv)):
        image = sitk.ReadImage(str(tmp_path / f"{path}.nii.gz"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)
        np.testing.assert_allclose(image.GetSpacing(), scan.spacing, rtol=1e-5)
        np.testing.assert_allclose(image.GetOrigin(), scan.origin, rtol=1e-5)
        np.testing.assert_allclose(image.GetDirection(), scan.direction, atol=1e-6)


def test_an_unlabelled_patient_has_no_labels(tmp_path):
    btcv_tree.write_patient(tmp_path, make_patient(0, 61, "CT", SIZE), labelled=False)
    assert [path.name for path in tmp_path.rglob("*.nii.gz")] == ["img0061.nii.gz"]
