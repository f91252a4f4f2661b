"""The loop of a real project: suggest, correct, take in, plan and train on, with stock commands in between."""

import json
import shutil

import pytest
import torch

from exported_scans import label_file
from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from tiny_group import CT, MODEL, MRI, entry, plan_group, trainer

SCHEDULE = ("--epochs", "2", "--iterations", "2")
"""That of the planned group."""


def test_suggest_correct_annotate_in_plan_and_train(root, tmp_path):
    hidden = {name: root / "raw" / name / "labelsTr" for name in (CT, MRI)}
    words = ["-o", str(tmp_path / "list.html"), "--export", str(tmp_path / "out"), "-np", "1"]
    assert main(["suggest", "-d", "801", "802", "-n", "9", *words]) == 0
    scans = [(one["dataset"], one["case"]) for one in read_json(tmp_path / "list.json", "")["scans"]]
    chosen = [*[scan for scan in scans if not scan[1].endswith("un")][:2], (CT, "ctun")]
    for name, case in chosen:  # the expert knows what the dataset hides; of ctun nobody knows anything
        truth = hidden[name] / ("ct0.nii.gz" if case == "ctun" else f"{case}.nii.gz")
        shutil.copyfile(truth, label_file(tmp_path / "out", name, case))
    arrays = root / "preprocessed" / chosen[0][0] / "MASSPlans_3d_fullres" / f"{chosen[0][1]}_seg.b2nd"
    assert arrays.exists()

    assert main(["annotate-in", str(tmp_path / "out")]) == 0
    with pytest.raises(SystemExit, match=r"error: \S+MASSPlans_3d_fullres/ctun.b2nd does not exist: plan the group"):
        trainer("MASSTrainer", "801", fold=2)
    plan_group_only(root)
    assert arrays.exists()
    assert json.loads((root / "preprocessed" / CT / "dataset.json").read_text())["numTraining"] == 6
    for name in (CT, MRI):
        assert {case for its, case in chosen if its == name} <= set(entry(root, name, 2)["train"])

    torch.manual_seed(0)
    one = trainer("MASSTrainer", "802", fold=2)
    one.num_epochs = 1
    one.run_training()
    for name in (CT, MRI):
        assert (root / "results" / name / MODEL / "fold_2" / "checkpoint_final.pth").exists()
    assert trainer("MASSTrainer", "801", fold=0).fold_cases().train == tuple(entry(root, CT)["train"])


def plan_group_only(root):
    """As :func:`tiny_group.plan_group`, without splitting again."""
    folders = [root / "preprocessed" / name / "splits_final.json" for name in (CT, MRI)]
    kept = [file.read_text() for file in folders]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mass_nnunet.data.split_command.run", lambda _: None)
        plan_group(root, ["801", "802"], plan=SCHEDULE)
    assert [file.read_text() for file in folders] == kept
