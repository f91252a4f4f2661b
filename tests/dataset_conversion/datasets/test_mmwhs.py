from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from mass_nnunet.dataset_conversion.datasets.mmwhs import LABELS, find_cases, targets
from mass_nnunet.errors import UserError
from native_trees import SHAPE, same_content, scan, source, volume, write

VALUES = {
    **{"left_ventricle": 500, "right_ventricle": 600, "left_atrium": 420, "right_atrium": 550, "myocardium": 205},
    **{"ascending_aorta": 820, "pulmonary_artery": 850},
}


def heart(values: dict[str, int]) -> sitk.Image:
    """One plane of voxels for each structure."""
    array = np.zeros(SHAPE, np.int16)
    for number, name in enumerate(LABELS):
        array[:, :, number] = values.get(name, 0)
    return volume(array)


def write_case(root: Path, kind: str, part: str, number: int, labelled: bool = True) -> None:
    stem = root / f"{kind}_{part}/{kind}_{part}_{number}"
    write(scan(number + (kind == "mr")), stem.with_name(stem.name + "_image.nii.gz"))
    if labelled:
        write(heart(VALUES), stem.with_name(stem.name + "_label.nii.gz"))


@pytest.fixture
def tree(tmp_path) -> Path:
    for kind in ("ct", "mr"):
        for number in (1001, 1003):
            write_case(tmp_path / "MMWHS", kind, "train", number)
        write_case(tmp_path / "MMWHS", kind, "test", 2001, labelled=False)
    return tmp_path


def test_seven_structures_with_the_same_labels_in_both(tree):
    ct, mri = targets(source(tree), Namespace(dataset_ids=[805, 806]))
    assert (ct.dataset_id, ct.name, ct.channel) == (805, "MMWHSCT", "CT")
    assert (mri.dataset_id, mri.name, mri.channel) == (806, "MMWHSMRI", "MRI")
    assert ct.labels == mri.labels == LABELS
    assert [case.name for case in mri.cases] == ["mmwhs_mr_2001", "mmwhs_mr_1001", "mmwhs_mr_1003"]
    assert [case.label is None for case in mri.cases] == [True, False, False]
    image, label, _ = ct.cases[1].read()
    assert same_content(image, scan(1001))
    assert same_content(label, sitk.Cast(heart(LABELS), sitk.sitkUInt8))


def test_the_stray_value_is_the_left_atrium(tree):
    stray = heart(VALUES)
    stray[9, 0, 0] = 421
    write(stray, tree / "MMWHS/ct_train/ct_train_1001_label.nii.gz")
    case = next(case for case in find_cases(source(tree)) if case.name == "mmwhs_ct_1001")
    assert case.read().label[9, 0, 0] == LABELS["left_atrium"]
    stray[9, 0, 0] = 422
    write(stray, tree / "MMWHS/ct_train/ct_train_1001_label.nii.gz")
    with pytest.raises(UserError, match=r"ct_train_1001_label.nii.gz holds the value 422"):
        case.read()


def test_nothing_there_and_a_label_without_its_image(tree, tmp_path):
    for path in tree.rglob("mr_*_image*"):
        path.unlink()
    with pytest.raises(UserError, match=r"mr_train_1001_label.nii.gz has no scan"):
        find_cases(source(tree))
    for path in tree.rglob("mr_*_label*"):
        path.unlink()
    with pytest.raises(UserError, match=r"holds no MRI of MM-WHS: expected mr_train_1001_image"):
        targets(source(tree), Namespace(dataset_ids=[805, 806]))
    with pytest.raises(UserError, match=r"holds no MM-WHS scan"):
        find_cases(source(tree / "MMWHS/mr_train"))


def test_whole_command(tree, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    assert main(["convert", "mmwhs", str(tree / "MMWHS"), "-d", "805", "806", "-np", "1"]) == 0
    for name in ("Dataset805_MMWHSCT", "Dataset806_MMWHSMRI"):
        content = read_json(tmp_path / "raw" / name / "dataset.json", "")
        assert (content["labels"], content["numTraining"]) == (LABELS, 1)
        assert len(list((tmp_path / "raw" / name / "imagesUn").iterdir())) == 1
    assert "pulmonary_artery ml" in capsys.readouterr().out
