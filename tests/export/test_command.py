"""mass_nnunet export, as it is typed: its options, and what it refuses."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from full_disk import file_limit
from mass_nnunet.cli import main
from mass_nnunet.export import shared_model
from mass_nnunet.export.adapted_model import ADAPTED_TRAINER
from mass_nnunet.export.plain_model import TRAINER
from tiny_group import CT, MODEL


def test_options(monkeypatch):
    asked = []
    monkeypatch.setattr(shared_model, "write_model", asked.append)
    assert main(["export", "-d", "801", "-o", "m.zip"]) == 0
    (args,) = asked
    assert (args.d, args.output, args.inference) == (801, Path("m.zip"), "segmentation")
    assert (args.folds, args.checkpoints, args.force) == ([0], ["checkpoint_final.pth"], False)
    assert f"{args.trainer}__{args.plans}__{args.configuration}" == MODEL


def test_help_names_the_trainers_of_exported_models(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert f"counts as one of {TRAINER} (or {ADAPTED_TRAINER})" in printed


def test_a_model_without_adaptation_is_not_exported_as_one(root, tmp_path, capsys):
    words = ["export", "-d", "801", "-tr", "SupervisedTrainer", "--inference", "adapted", "-o", str(tmp_path / "m.zip")]
    assert main(words) == 2
    assert "does not predict by adapted: export it without --inference" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-f", "3"), "fold_3 does not exist: train fold 3, or name others with -f (trained: 0)"),
        (("-tr", "MASSTrainerNoSC"), "does not exist: train the model"),
        (("-chk", "checkpoint_latest.pth"), "let the training end"),
        (("--scores", "none.csv"), "none.csv does not exist: write it with `mass_nnunet evaluate --csv`"),
        (("--scores", "text.csv"), "text.csv has no column"),
        (("--scores", "heart.csv"), "heart.csv has scores of aorta, which the model does not segment"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root, tmp_path, monkeypatch, capsys, words, text):
    monkeypatch.chdir(tmp_path)
    Path("text.csv").write_text("hello\n")
    Path("heart.csv").write_text("case,organ,dice,hd95\na,aorta,1,0\n")
    assert main(["export", "-d", "801", "-o", "m.zip", *words]) == 2
    printed = capsys.readouterr().err
    assert text in printed
    assert printed.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"text.csv", "heart.csv"}


def test_what_exists_is_replaced_only_when_asked_for(root, exported, tmp_path, capsys):
    out = tmp_path / "m.zip"
    out.write_bytes(b"other")
    assert main(["export", "-d", "801", "-o", str(out)]) == 2
    assert "m.zip exists: give another name, or --force to replace it" in capsys.readouterr().err
    assert out.read_bytes() == b"other"
    assert main(["export", "-d", "801", "-o", str(out), "--force"]) == 0
    assert zipfile.is_zipfile(out)


def test_a_full_disk_leaves_what_was_there(root, tmp_path, capsys):
    out = tmp_path / "m.zip"
    out.write_bytes(b"before")
    with file_limit(20000):
        assert main(["export", "-d", "801", "-o", str(out), "--force"]) == 2
    assert "make room on the disk" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.zip"]
    assert out.read_bytes() == b"before"


def test_plans_of_stock_nnunet_have_a_command_of_their_own(root, tmp_path, monkeypatch, capsys):
    copy = tmp_path / CT / MODEL
    shutil.copytree(root / "results" / CT / MODEL, copy)
    plans = json.loads((copy / "plans.json").read_text())
    del plans["mass"]
    (copy / "plans.json").write_text(json.dumps(plans))
    monkeypatch.setenv("nnUNet_results", str(tmp_path))
    assert main(["export", "-d", "801", "-o", str(tmp_path / "m.zip")]) == 2
    assert "use nnUNetv2_export_model_to_zip" in capsys.readouterr().err
    assert not (tmp_path / "m.zip").exists()
