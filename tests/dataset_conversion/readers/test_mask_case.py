from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.readers.mask_case import MaskCase
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import BOXES, organs, same_content, scan, volume, write


def mask(*names: str) -> sitk.Image:
    return organs(dict.fromkeys(names, 1), {name: BOXES[name] for name in names})


def case(folder: Path, masks: dict[int, dict[str, sitk.Image]]) -> MaskCase:
    files = {
        value: tuple(write(image, folder / "segmentations" / f"{name}.nii.gz") for name, image in its.items())
        for value, its in masks.items()
    }
    image = write(scan(), folder / "ct.nii.gz")
    return MaskCase(name="a", patient="a", image=image, label=folder / "segmentations", masks=files)


def test_each_organ_gets_its_value_and_several_structures_may_be_one_organ(tmp_path):
    kidneys = {"kidney_left": mask("left_kidney"), "kidney_right": sitk.DICOMOrient(mask("right_kidney"), "ASL")}
    one = case(tmp_path, {1: {"liver": mask("liver")}, 2: kidneys})
    image, label, notes = one.read()
    values = {"liver": 1, "left_kidney": 2, "right_kidney": 2}
    assert same_content(image, scan())
    assert same_content(label, organs(values, {name: BOXES[name] for name in values}))
    assert notes == ()
    assert [path.name for path in one.files()] == [
        "ct.nii.gz",
        "liver.nii.gz",
        "kidney_left.nii.gz",
        "kidney_right.nii.gz",
    ]


def test_what_the_case_depends_on(tmp_path):
    one = case(tmp_path, {LABELS["liver"]: {"liver": mask("liver")}})
    other = case(tmp_path, {LABELS["spleen"]: {"liver": mask("liver")}})
    assert one.described() != other.described()


def test_without_labels(tmp_path):
    image = write(scan(), tmp_path / "ct.nii.gz")
    one = MaskCase(name="a", patient="a", image=image, masks={})
    assert one.read()[1:] == (None, ())
    assert one.files() == [image]


def test_an_organ_outside_of_the_scan_has_an_empty_mask(tmp_path):
    empty = volume(np.zeros((6, 24, 24), np.uint8))
    label = case(tmp_path, {1: {"liver": empty}}).read().label
    assert not sitk.GetArrayFromImage(label).any()


def test_masks_that_are_no_masks_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"liver.nii.gz holds the value 2, which is no known label"):
        case(tmp_path, {1: {"liver": mask("liver") * 2}}).read()
    with pytest.raises(UserError, match=r"liver.nii.gz \(23 x 24 x 6 voxels.* is not on the grid of .*ct.nii.gz"):
        case(tmp_path, {1: {"liver": mask("liver")[1:]}}).read()
    both = {1: {"liver": mask("liver")}, 2: {"spleen": mask("liver", "spleen")}}
    with pytest.raises(UserError, match=r"spleen.nii.gz has voxels in common with another organ"):
        case(tmp_path, both).read()
