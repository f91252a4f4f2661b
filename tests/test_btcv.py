import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.btcv import find_cases
from mass_nnunet.errors import UserError
from mass_nnunet.organs import LABELS
from native_trees import AXIS_CODES, BTCV_VALUES, btcv_tree, organs, same_content, scan, write, write_btcv_case


@pytest.mark.parametrize("below", [".", "..", "../..", "Training"])
def test_cases_are_found_from_any_folder_above(tmp_path, below):
    root = btcv_tree(tmp_path / "Abdomen/RawData", labelled=2, unlabelled=1)
    cases = find_cases(root / below)
    assert [case.name for case in cases] == ["btcv_0001", "btcv_0002", "btcv_0061"][: 2 if below == "Training" else 3]
    assert [case.label is None for case in cases] == [False, False, True][: len(cases)]
    assert cases[0].patient == "btcv_0001"


def test_labels_are_remapped_and_other_organs_are_background(tmp_path):
    label = organs(BTCV_VALUES)
    label[0, 0, 0] = 13
    write_btcv_case(tmp_path, 1, scan(), label)
    (case,) = find_cases(tmp_path)
    assert case.label_values() == set(LABELS.values())
    image, converted = case.read_labelled()
    assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(scan()))
    assert np.array_equal(sitk.GetArrayFromImage(converted), sitk.GetArrayFromImage(organs(LABELS)))


@pytest.mark.parametrize("codes", AXIS_CODES[::7])
def test_label_follows_the_image_in_every_orientation(tmp_path, codes):
    write_btcv_case(tmp_path, 1, sitk.DICOMOrient(scan(), codes), sitk.DICOMOrient(organs(BTCV_VALUES), codes))
    image, label = find_cases(tmp_path)[0].read_labelled()
    assert same_content(image, scan())
    assert same_content(label, organs(LABELS))


def test_unknown_value(tmp_path):
    label = organs(BTCV_VALUES)
    label[0, 0, 0] = 14
    write_btcv_case(tmp_path, 1, scan(), label)
    with pytest.raises(UserError, match=r"label0001.nii.gz holds the value 14"):
        find_cases(tmp_path)[0].label_values()


def test_image_and_label_on_different_grids(tmp_path):
    label = organs(BTCV_VALUES)
    label.SetOrigin((0.0, 0.0, 0.0))
    write_btcv_case(tmp_path, 1, scan(), label)
    with pytest.raises(UserError, match=r"label0001.nii.gz is not on the grid of .*img0001.nii.gz"):
        find_cases(tmp_path)[0].read_labelled()


def test_nothing_there_and_a_label_without_its_image(tmp_path):
    (tmp_path / "Training/img").mkdir(parents=True)
    write(scan(), tmp_path / "Training/img/other.nii.gz")
    with pytest.raises(UserError, match=r"holds no BTCV scan"):
        find_cases(tmp_path)
    write(organs(BTCV_VALUES), tmp_path / "Training/label/label0007.nii.gz")
    with pytest.raises(UserError, match=r"label0007.nii.gz has no image"):
        find_cases(tmp_path)
