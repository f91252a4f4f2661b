"""The datasets of experiments/real_draws.py; that they are written, split and planned: test_real.py."""

from argparse import Namespace

import pytest

from mass_nnunet.data.raw import TEST
from mass_nnunet.errors import UserError
from scripts import load_script


@pytest.fixture
def draws():
    return load_script("real_draws")


def test_each_patient_is_tested_in_one_draw(draws, source):
    cases = draws.PAIRS["abdomen"].parts[0].find(source)
    parts = [draws.draw(cases, number) for number in range(draws.DRAWS)]
    tested = [{case.patient for case in part if case.part is TEST} for part in parts]
    assert [len(part) for part in tested] == [2, 2, 2]
    assert set().union(*tested) == {case.patient for case in cases}


def test_the_two_sequences_of_hearts_are_of_different_patients(draws, tmp_path):
    for sequence in ("bSSFP", "LGE"):
        for number in range(1, 31):
            file = tmp_path / "cardiac_mr" / sequence / f"label_{number:02}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    found = [{case.patient for case in part.find(tmp_path)} for part in draws.PAIRS["heart"].parts]
    assert [len(patients) for patients in found] == [15, 15]
    assert not found[0] & found[1]


def test_ids_of_datasets_are_all_different(draws):
    ids = [ident for pair in draws.PAIRS.values() for number in range(draws.DRAWS) for ident in pair.ids(number)]
    ids += [ident + draws.UNMARKED for number in range(draws.DRAWS) for ident in draws.PAIRS["heart"].ids(number)]
    assert len(ids) == len(set(ids)) == 18


def test_too_few_scans_are_said(draws, tmp_path):
    args = Namespace(root=tmp_path, source=tmp_path, size="tiny", label_rates=(1.0,), unlabelled=None, seeds=1, np=1)
    with pytest.raises(UserError, match="0 scans of BTCV: name the folder"):
        draws.prepare("abdomen", 0, args)


def test_the_labels_of_one_modality_can_be_hidden(draws, source, tmp_path, monkeypatch):
    words = []
    monkeypatch.setattr(draws, "run", lambda *command: words.append(command))
    args = Namespace(root=tmp_path, source=source, size="tiny", label_rates=(1.0,), unlabelled=1, seeds=1, np=1)
    with load_script("groups").nnunet_folders(tmp_path):
        draws.prepare("abdomen", 0, args)
    assert words[0][-2:] == ("--unlabelled", "802")
    assert (tmp_path / "abdomen" / "draw0" / "planned.json").read_text().count("--unlabelled") == 1
