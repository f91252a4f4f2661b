from argparse import Namespace
from pathlib import Path

import pytest

from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.datasets.amos import find_cases, targets
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import BTCV_VALUES, organs, same_content, scan, source, write, write_amos_case

IDS = Namespace(dataset_ids=[803, 804])


@pytest.fixture
def tree(tmp_path) -> Path:
    label = organs(BTCV_VALUES)
    label[0, 0, 0] = 15
    for part, number in (("Tr", 1), ("Va", 499), ("Tr", 500), ("Va", 600)):
        write_amos_case(tmp_path / "amos22", part, number, scan(number), label)
    for number in (7, 507):
        write_amos_case(tmp_path / "amos22", "Ts", number, scan(number))
    return tmp_path


def test_ct_and_mri_are_told_apart_by_their_numbers(tree):
    ct, mri = targets(source(tree), IDS)
    assert (ct.dataset_id, ct.name, ct.channel, ct.labels) == (803, "AMOSCT", "CT", LABELS)
    assert (mri.dataset_id, mri.name, mri.channel, mri.labels) == (804, "AMOSMRI", "MRI", LABELS)
    assert [case.name for case in ct.cases] == ["amos_0001", "amos_0499", "amos_0007"]
    assert [case.name for case in mri.cases] == ["amos_0500", "amos_0600", "amos_0507"]
    assert [case.part for case in ct.cases] == [Part.TRAINING, Part.TEST, None]
    image, label, _ = mri.cases[0].read()
    assert same_content(image, scan(500))
    assert same_content(label, organs(LABELS))


def test_a_modality_that_is_not_there(tree):
    for path in tree.rglob("amos_0[56]*"):
        path.unlink()
    with pytest.raises(UserError, match=r"holds no MRI of AMOS \(numbers from 500\)"):
        targets(source(tree), IDS)


def test_nothing_there_and_a_label_without_its_image(tmp_path):
    with pytest.raises(UserError, match=r"holds no AMOS scan: expected imagesTr/amos_0001.nii.gz"):
        find_cases(source(tmp_path))
    write_amos_case(tmp_path, "Va", 1, scan(), organs(BTCV_VALUES))
    write(organs(BTCV_VALUES), tmp_path / "labelsVa/amos_0002.nii.gz")
    with pytest.raises(UserError, match=r"labelsVa/amos_0002.nii.gz has no scan"):
        find_cases(source(tmp_path))
