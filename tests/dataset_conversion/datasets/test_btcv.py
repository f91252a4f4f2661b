import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.datasets.btcv import find_cases, with_gibson_labels
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import AXIS_CODES, BTCV_VALUES, btcv_tree, organs, same_content, scan, source, write, write_btcv_case


@pytest.mark.parametrize("below", [".", "..", "../..", "Training"])
def test_cases_are_found_from_any_folder_above(tmp_path, below):
    root = btcv_tree(tmp_path / "Abdomen/RawData", labelled=2, unlabelled=1)
    cases = find_cases(source(root / below))
    assert [case.name for case in cases] == ["btcv_0001", "btcv_0002", "btcv_0061"][: 2 if below == "Training" else 3]
    assert [case.label is None for case in cases] == [False, False, True][: len(cases)]
    assert cases[0].patient == "btcv_0001"


def test_labels_are_remapped_and_other_organs_are_background(tmp_path):
    label = organs(BTCV_VALUES)
    label[0, 0, 0] = 13
    write_btcv_case(tmp_path, 1, scan(), label)
    (case,) = find_cases(source(tmp_path))
    image, converted, _ = case.read()
    assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(scan()))
    assert np.array_equal(sitk.GetArrayFromImage(converted), sitk.GetArrayFromImage(organs(LABELS)))


@pytest.mark.parametrize("codes", AXIS_CODES[::7])
def test_label_follows_the_image_in_every_orientation(tmp_path, codes):
    write_btcv_case(tmp_path, 1, sitk.DICOMOrient(scan(), codes), sitk.DICOMOrient(organs(BTCV_VALUES), codes))
    image, label, _ = find_cases(source(tmp_path))[0].read()
    assert same_content(image, scan())
    assert same_content(label, organs(LABELS))


def test_unknown_value(tmp_path):
    label = organs(BTCV_VALUES)
    label[0, 0, 0] = 14
    write_btcv_case(tmp_path, 1, scan(), label)
    with pytest.raises(UserError, match=r"label0001.nii.gz holds the value 14"):
        find_cases(source(tmp_path))[0].read()


def test_nothing_there_and_a_label_without_its_image(tmp_path):
    (tmp_path / "Training/img").mkdir(parents=True)
    write(scan(), tmp_path / "Training/img/other.nii.gz")
    with pytest.raises(UserError, match=r"holds no BTCV scan"):
        find_cases(source(tmp_path))
    write(organs(BTCV_VALUES), tmp_path / "Training/label/label0007.nii.gz")
    with pytest.raises(UserError, match=r"label0007.nii.gz has no scan"):
        find_cases(source(tmp_path))


def test_gibsons_labels_are_for_scans_without_labels(tmp_path):
    cases = find_cases(source(btcv_tree(tmp_path / "btcv", labelled=2, unlabelled=2)))
    folder = tmp_path / "gibson/label_btcv_multiorgan"
    label = organs(BTCV_VALUES)
    label[0, 0, 0] = 14  # duodenum
    for number in (1, 61):
        write(label, folder / f"label{number:04d}.nii.gz")
    result = with_gibson_labels(cases, tmp_path / "gibson")
    assert {case.name: case.label and case.label.parent.name for case in result} == {
        **{"btcv_0001": "label", "btcv_0002": "label"},
        **{"btcv_0061": "label_btcv_multiorgan", "btcv_0062": None},
    }
    assert [case.may_stop_short for case in result] == [False, False, True, False]
    assert np.array_equal(sitk.GetArrayFromImage(result[2].read().label), sitk.GetArrayFromImage(organs(LABELS)))


def test_gibsons_labels_that_are_not_there_or_of_other_scans(tmp_path):
    cases = find_cases(source(btcv_tree(tmp_path / "btcv", labelled=1)))
    with pytest.raises(UserError, match=r"--labels .*nowhere is not a folder"):
        with_gibson_labels(cases, tmp_path / "nowhere")
    (tmp_path / "gibson").mkdir()
    with pytest.raises(UserError, match=r"--labels .*gibson holds no label0001.nii.gz"):
        with_gibson_labels(cases, tmp_path / "gibson")
    write(organs(BTCV_VALUES), tmp_path / "gibson/label0080.nii.gz")
    with pytest.raises(UserError, match=r"label0080.nii.gz has no img0080.nii.gz in BTCV"):
        with_gibson_labels(cases, tmp_path / "gibson")
