"""Data for trainers that are not of this package: no hidden label reaches them, by whichever way."""

import json
from pathlib import Path

import blosc2
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.plan_and_preprocess_api import plan_experiment_dataset, preprocess_dataset
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet.benchmark.run import job, steps
from mass_nnunet.benchmark.run.entries import Method
from mass_nnunet.benchmark.run.grid import Grid
from mass_nnunet.benchmark.run.isolation import INTENSITIES, isolate, knows_hidden_labels
from mass_nnunet.data.files import read_json
from mass_nnunet.data.paths import FINAL_CHECKPOINT, data_folders_in
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.splits import load_fold
from mass_nnunet.errors import UserError
from tiny_group import CT, MRI, entry

PLANS = "nnUNetPlans"


@pytest.fixture
def stock(root, monkeypatch):
    """The planned group, also planned by stock nnU-Net."""
    monkeypatch.setenv("nnUNet_n_proc_DA", "1")  # nnU-Net's planner takes it for a number of threads
    for number in (801, 802):
        plan_experiment_dataset(number)
    return root


def isolated(root, name, fold=0, plans=PLANS):
    folder, number = root / "isolated", int(name[7:10])
    model = job.ModelName("nnUNetTrainer", plans, "3d_fullres", fold, "cpu")
    isolate(model, dataset=number, folder=str(folder), cost=str(root / f"{name}.json"))
    return folder / "preprocessed" / name


def arrays(folder):
    return {file.name: np.asarray(blosc2.open(str(file))[:]) for file in sorted(folder.rglob("*.b2nd"))}


def files_of(cases):
    return {f"{case}{ending}" for case in cases for ending in (".b2nd", "_seg.b2nd", ".pkl")}


def shuffle_hidden_labels(root, name):
    """Make organs of air and liver of all organs in the labels that fold 0 hides, and plan by stock nnU-Net again."""
    for case in entry(root, name)["unlabelled"]:
        file = root / "raw" / name / "labelsTr" / f"{case}.nii.gz"
        if file.exists():
            label = sitk.ReadImage(str(file))
            changed = sitk.GetImageFromArray(np.where(sitk.GetArrayFromImage(label) > 0, 0, 4).astype(np.uint8))
            changed.CopyInformation(label)
            sitk.WriteImage(changed, str(file))
    DatasetFingerprintExtractor(int(name[7:10]), 1).run(overwrite_existing=True)
    plan_experiment_dataset(int(name[7:10]))


def test_no_hidden_label_reaches_stock_by_its_plans_or_its_scans(stock):
    plans = stock / "preprocessed" / CT / f"{PLANS}.json"
    target = isolated(stock, CT)
    before, stock_plans = read_json(plans, ""), read_json(target / f"{PLANS}.json", "")
    scans, fingerprint = arrays(target), read_json(target / "dataset_fingerprint.json", "")
    fold = entry(stock, CT)
    assert {file.name for file in (target / "nnUNetPlans_3d_fullres").iterdir()} == files_of(
        fold["train"] + fold["val"]
    )
    shuffle_hidden_labels(stock, CT)
    assert read_json(plans, "")[INTENSITIES] != before[INTENSITIES]  # hidden labels do change stock's own plans
    target = isolated(stock, CT)
    assert read_json(target / f"{PLANS}.json", "") == stock_plans
    assert read_json(target / "dataset_fingerprint.json", "") == fingerprint
    assert stock_plans[INTENSITIES] != before[INTENSITIES]
    after = arrays(target)
    assert scans.keys() == after.keys() and all(np.array_equal(scans[name], after[name]) for name in scans)
    assert stock_plans | {INTENSITIES: 0} == before | {INTENSITIES: 0}  # the same network, patch and spacing


def test_no_file_tells_of_a_hidden_scan(stock):
    preprocess_dataset(802, PLANS, ["3d_fullres"], [1])
    for name in (CT, MRI):
        isolated(stock, name)
    folder = stock / "isolated"
    for name in (CT, MRI):
        hidden = entry(stock, name)["unlabelled"]
        for path in folder.rglob("*"):
            assert not any(case in path.name for case in hidden)
            assert path.suffix != ".json" or not any(case in path.read_text() for case in hidden)
    assert [path for path in (folder / "raw").rglob("*") if path.is_file()] == []


def test_scans_that_know_no_label_are_linked(stock):
    preprocess_dataset(802, PLANS, ["3d_fullres"], [1])
    target = isolated(stock, MRI)
    fold = entry(stock, MRI)
    links = list((target / "nnUNetPlans_3d_fullres").iterdir())
    assert {file.name for file in links} == files_of(fold["train"] + fold["val"])
    source = stock / "preprocessed" / MRI / "nnUNetPlans_3d_fullres"
    assert all(file.samefile(source / file.name) and not file.is_symlink() for file in links)
    assert json.loads((target / "splits_final.json").read_text()) == [{key: fold[key] for key in ("train", "val")}]
    assert len(json.loads((isolated(stock, MRI, 1) / "splits_final.json").read_text())) == 2


def test_where_links_cannot_be_made_scans_are_copied(stock, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr("os.link", refuse)
    target = isolated(stock, MRI, plans="MASSPlans")
    assert len(arrays(target)) == 4


def test_which_plans_know_hidden_labels(stock):
    def known(name, fold, plans=PLANS):
        folder = stock / "preprocessed" / name
        content = read_json(folder / f"{plans}.json", "")
        return knows_hidden_labels(content, "3d_fullres", RawDataset.load(int(name[7:10])), load_fold(folder, fold))

    assert known(CT, 0)
    assert not known(CT, 1)  # it hides nothing
    assert not known(MRI, 0)  # each scan is normalized by itself
    assert not known(CT, 0, "MASSPlans")


def start(root, monkeypatch, run_training, do_split=None):
    """The training step on isolated data of stock, with another training."""
    target = isolated(root, MRI, plans="MASSPlans")
    monkeypatch.setattr(nnUNetTrainer, "run_training", run_training)
    if do_split is not None:
        monkeypatch.setattr(nnUNetTrainer, "do_split", do_split)
    for name, value in data_folders_in(root / "isolated").items():
        monkeypatch.setenv(name, value)
    model = job.ModelName("nnUNetTrainer", "MASSPlans", "3d_fullres", 0, "cpu")
    steps.train(model, datasets=[target.name], seed=0, cost=str(root / "train.json"), schedule=(7, 3, 2))
    return read_json(root / "train.json", "")


def test_the_training_of_stock_has_the_schedule_of_the_grid(stock, monkeypatch):
    seen = []

    def run_training(self):
        seen.append(
            (self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch, self.save_every)
        )
        self.initialize()
        assert self.lr_scheduler.max_steps == 7
        self.save_checkpoint(str(Path(self.output_folder) / FINAL_CHECKPOINT))

    assert start(stock, monkeypatch, run_training)["iterations"] == 3
    assert seen == [(7, 3, 2, 1)]


def test_each_fold_is_predicted_with_the_intensities_that_it_was_trained_with(stock, monkeypatch):
    """All cells are trained before the first prediction, as with several workers or after a kill."""
    preprocess_dataset(801, PLANS, ["3d_fullres"], [1])
    predicted = []

    def run_training(self):
        self.initialize()
        self.on_train_start()  # which writes the plans beside the folds
        self.save_checkpoint(str(Path(self.output_folder) / FINAL_CHECKPOINT))

    monkeypatch.setattr(nnUNetTrainer, "run_training", run_training)
    monkeypatch.setattr(
        nnUNetPredictor,
        "predict_from_files_sequential",
        lambda self, *_: predicted.append(self.plans_manager.plans[INTENSITIES]),
    )
    monkeypatch.setattr(steps, "score_test_scans", lambda *_: pd.DataFrame())
    method = Method("stock", "nnUNetTrainer", PLANS, "3d_fullres")
    grid = Grid((801,), ("stock",), (0.5, 1.0), (0,), stock / "out", device="cpu", variants=(method,))
    jobs = [
        job.Job(grid, cell, fold, False, (), (), "digest", schedule=job.Schedule(1, 1, 1))
        for fold, cell in enumerate(grid.cells)
    ]
    trained = []
    for one in jobs:
        trained.append(read_json(isolated(stock, CT, one.fold) / f"{PLANS}.json", "")[INTENSITIES])
        with monkeypatch.context() as patch:
            for name, value in {**data_folders_in(stock / "isolated"), "nnUNet_results": str(one.models)}.items():
                patch.setenv(name, value)
            cost = str(stock / f"train{one.fold}.json")
            steps.train(one.model, datasets=[CT], seed=0, cost=cost, schedule=one.schedule)
    for one in jobs:
        monkeypatch.setenv("nnUNet_results", str(one.models))
        files = {name: str(stock / f"{name}{one.fold}") for name in ("predictions", "scores", "cost")}
        steps.predict(one.model, dataset=801, inference=None, **files)
    assert trained[0] != trained[1]
    assert predicted == trained


def test_a_trainer_with_a_split_of_its_own_is_refused(stock, monkeypatch):
    def run_training(self):
        raise AssertionError

    with pytest.raises(UserError, match="nnUNetTrainer has a split of its own, of 2 and 1 scans, and not fold 0 of"):
        start(stock, monkeypatch, run_training, lambda self: (["mr0", "mr1"], ["mr2"]))
