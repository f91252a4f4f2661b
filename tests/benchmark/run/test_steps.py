"""The steps in this process: a training that is cut off and goes on, and the prediction of a test set."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch

from mass_nnunet.benchmark.run import steps
from mass_nnunet.benchmark.run.job import ModelName
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import FINAL_CHECKPOINT, LATEST_CHECKPOINT
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.trainers import SupervisedTrainer
from quick_training import train_quickly
from tiny_group import CT, MRI, make_group, variables

SUPERVISED = ModelName("SupervisedTrainer", "MASSPlans", "3d_fullres", 0, "cpu")
MASS = replace(SUPERVISED, trainer="MASSTrainer")


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    root = tmp_path_factory.mktemp("group")
    make_group(root, 3, 1)
    return root


@pytest.fixture
def root(group, tmp_path, monkeypatch):
    """The group, with a results folder of its own for each test."""
    for name, value in (variables(group) | {"nnUNet_results": str(tmp_path / "results")}).items():
        monkeypatch.setenv(name, value)
    train_quickly(monkeypatch)
    return tmp_path


@pytest.fixture
def epochs(monkeypatch):
    """The epochs that SupervisedTrainer begins; it is interrupted before those in ``stop``."""
    begun, stop = [], set()
    start = SupervisedTrainer.on_epoch_start

    def on_epoch_start(self):
        if self.current_epoch in stop:
            raise KeyboardInterrupt
        begun.append(self.current_epoch)
        start(self)

    monkeypatch.setattr(SupervisedTrainer, "on_epoch_start", on_epoch_start)
    return begun, stop


def train(root, model=SUPERVISED, datasets=(CT,)):
    cost = root / "train.json"
    steps.train(model, datasets=datasets, seed=5, cost=str(cost))
    return read_json(cost, "")


def fold(root, dataset=CT, trainer="SupervisedTrainer"):
    return root / "results" / dataset / f"{trainer}__MASSPlans__3d_fullres" / "fold_0"


def load(file):
    return torch.load(file, map_location="cpu", weights_only=False)


def test_training_that_was_cut_off_goes_on(root, epochs):
    begun, stop = epochs
    stop.add(2)
    with pytest.raises(SystemExit, match="130"):
        train(root)
    assert not (root / "train.json").exists()
    stop.clear()
    cost = train(root)
    assert begun == [0, 1, 2]
    assert not (fold(root) / "validation").exists()
    log = load(fold(root) / FINAL_CHECKPOINT)["logging"]
    each = np.subtract(log["epoch_end_timestamps"], log["epoch_start_timestamps"])
    assert len(each) == 3
    assert cost["seconds"] == pytest.approx(each.sum())
    assert np.array(cost["validation"]) == pytest.approx(np.stack([each.cumsum(), log["mean_fg_dice"]], 1))
    assert cost["peak_memory_mb"] > 50
    assert cost["peak_gpu_memory_mb"] is None
    assert cost["device"].startswith("cpu")
    # It was killed after the training and before its cost was written: nothing is trained again.
    again = train(root)
    assert begun == [0, 1, 2]
    assert again == cost | {"peak_memory_mb": None}


def test_training_starts_anew_where_the_checkpoint_is_a_part_of_one(root, epochs):
    begun, stop = epochs
    stop.add(2)
    with pytest.raises(SystemExit, match="130"):
        train(root)
    latest = fold(root) / LATEST_CHECKPOINT
    latest.write_bytes(latest.read_bytes()[:-1000])
    stop.clear()
    train(root)
    assert begun == [0, 1, 0, 1, 2]


def test_checkpoints_count_when_all_are_whole(tmp_path):
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        torch.save({"x": torch.zeros(9)}, folder / FINAL_CHECKPOINT)
    assert steps._keep_whole(folders, FINAL_CHECKPOINT)
    (folders[1] / FINAL_CHECKPOINT).write_bytes((folders[0] / FINAL_CHECKPOINT).read_bytes()[:-30])
    assert not steps._keep_whole(folders, FINAL_CHECKPOINT)
    assert not list(tmp_path.rglob(FINAL_CHECKPOINT))
    assert not steps._keep_whole(folders, FINAL_CHECKPOINT)


def test_seed_gives_the_first_weights(root, monkeypatch):
    first = []

    def run_training(self):
        self.initialize()
        first.append(next(self.network.parameters()).detach().clone())
        self.save_checkpoint(str(Path(self.output_folder) / FINAL_CHECKPOINT))

    monkeypatch.setattr(SupervisedTrainer, "run_training", run_training)
    for _ in range(2):
        train(root)
        shutil.rmtree(root / "results")
    assert torch.equal(*first)


def test_prediction_by_the_inference_that_was_asked_for_is_scored(root, group, monkeypatch):
    train(root, MASS, (CT, MRI))
    assert all((fold(root, name, "MASSTrainer") / FINAL_CHECKPOINT).is_file() for name in (CT, MRI))
    write_json(group / "raw" / MRI / "patients.json", {f"mr{n}": "x" for n in [*range(5), "un"]} | {"mrtest": "P7"})
    used = []
    forward = MASSNet.forward

    def spy(self, *args):
        used.append(self.inference)
        return forward(self, *args)

    monkeypatch.setattr(MASSNet, "forward", spy)
    files = {"predictions": str(root / "out"), "scores": str(root / "s.csv"), "cost": str(root / "c.json")}
    (root / "out").mkdir()
    (root / "out" / "left.nii.gz").touch()
    arguments = {"model": asdict(MASS), "dataset": 802, "inference": "fused"} | files
    steps.run_step("predict", json.dumps(arguments))
    assert set(used) == {"fused"}
    assert not (root / "out" / "left.nii.gz").exists()
    cost = read_json(root / "c.json", "")
    assert cost["scans"] == 1
    assert cost["seconds"] > 0
    scores = pd.read_csv(root / "s.csv")
    assert list(scores)[:3] == ["case", "patient", "organ"]
    assert set(scores["case"]) == {"mrtest"}
    assert set(scores["patient"]) == {"P7"}
    truth, prediction = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "mrtest.nii.gz")))
        for folder in (group / "raw" / MRI / "labelsTs", root / "out")
    )
    dice = [
        2 * np.sum((truth == v) & (prediction == v)) / np.sum((truth == v) * 1 + (prediction == v)) for v in range(5)
    ]
    assert scores["dice"].tolist() == pytest.approx(dice[1:])
