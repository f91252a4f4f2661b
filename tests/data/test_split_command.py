"""mass_nnunet split, as it is typed."""

import json

import pytest

from mass_nnunet.cli import main
from mass_nnunet.data.splits import load_fold
from tiny_raw import write_raw_dataset


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for kind in ("raw", "preprocessed"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    raw = tmp_path / "raw"
    write_raw_dataset(raw, "Dataset801_A", "CT", [f"ct{i}" for i in range(8)], ["ct8"], shape=(2, 4, 4))
    write_raw_dataset(raw, "Dataset802_B", "MRI", [f"mr{i}" for i in range(4)], shape=(2, 4, 4))
    return tmp_path / "preprocessed" / "Dataset801_A", tmp_path / "preprocessed" / "Dataset802_B"


def test_the_same_fold_is_the_same_setting_in_every_dataset(folders, capsys):
    assert main(["split", "-d", "801", "802", "--label-rates", "0.125", "1", "--seeds", "2"]) == 0
    for number in range(4):
        ct, mri = (load_fold(folder, number) for folder in folders)
        assert (ct.seed, ct.label_rate) == (mri.seed, mri.label_rate) == (number // 2, (0.125, 1)[number % 2])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["fold", "seed", "labels", "Dataset801_A", "Dataset802_B"] in lines
    assert ["2", "1", "12.5", "%", "1/7/1", "1/2/1"] in lines
    assert ["3", "1", "100", "%", "7/1/1", "3/0/1"] in lines


def test_typing_it_twice_writes_the_same_bytes(folders):
    command = ["split", "-d", "801", "802", "--label-rates", "0.5"]
    main(command)
    first = [(folder / "splits_final.json").read_bytes() for folder in folders]
    main(command)
    assert [(folder / "splits_final.json").read_bytes() for folder in folders] == first


def test_nothing_is_written_when_one_dataset_is_bad(folders, tmp_path, capsys):
    (tmp_path / "raw" / "Dataset802_B" / "patients.json").write_text(json.dumps({f"mr{i}": "same" for i in range(4)}))
    assert main(["split", "-d", "801", "802"]) == 2
    assert "scans of 1 patient" in capsys.readouterr().err
    assert not any((folder / "splits_final.json").exists() for folder in folders)


def test_splits_in_the_raw_folder_would_stop_nnunet(folders, tmp_path, capsys):
    (tmp_path / "raw" / "Dataset801_A" / "splits_final.json").write_text("[]")
    assert main(["split", "-d", "801", "802"]) == 2
    assert "in conflict" in capsys.readouterr().err


def test_unknown_dataset(folders, capsys):
    assert main(["split", "-d", "803"]) == 2
    assert "no dataset 803" in capsys.readouterr().err


def test_a_dataset_whose_labels_are_hidden(folders, capsys):
    assert main(["split", "-d", "801", "802", "--label-rates", "0.5", "--unlabelled", "802"]) == 0
    ct, mri = (load_fold(folder, 0) for folder in folders)
    assert ct.train
    assert (mri.train, len(mri.val), len(mri.unlabelled), mri.label_rate) == ((), 1, 3, 0.5)
    assert ["0", "0", "50", "%", "4/4/1", "0/3/1"] in [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["801", "--unlabelled", "802"], "--unlabelled 802 is not among the datasets of -d"),
        (["801", "802", "--unlabelled", "801", "802"], "no scan of Dataset801_A and Dataset802_B has a label"),
        (["802", "--unlabelled", "802"], "no scan of Dataset802_B has a label to train on"),
    ],
)
def test_labels_that_are_missing_everywhere(folders, capsys, words, message):
    assert main(["split", "-d", *words]) == 2
    assert message in capsys.readouterr().err
    assert not any((folder / "splits_final.json").exists() for folder in folders)
