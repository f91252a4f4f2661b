"""What is wrong with the inputs of a training is said in one line, before anything is written."""

import json
import os
import shutil
from copy import deepcopy
from pathlib import Path

import blosc2
import numpy as np
import pytest
import torch

from mass_nnunet import trainers
from mass_nnunet.cli import main
from mass_nnunet.data.splits import Fold
from mass_nnunet.runtime.lock import Lock
from mass_nnunet.trainers.base import inputs
from mass_nnunet.trainers.base.inputs import PlannedDataset, same_group, values
from refused_training import ARRAYS, refused
from tiny_group import CT, MRI, entry, trainer

pytestmark = pytest.mark.usefixtures("root")

GROUP_METHODS = [name for name in trainers.__all__ if getattr(trainers, name).trains_group]


@pytest.mark.parametrize("name", trainers.__all__)
def test_every_method_refuses_a_fold_that_does_not_exist_and_a_dataset_without_splits(root, name):
    for fold in (7, "all"):
        assert refused(root, name, fold=fold).startswith(f"error: fold {fold} does not exist in ")
    (root / "preprocessed" / CT / "splits_final.json").unlink()
    line = refused(root, name)
    assert "splits_final.json does not exist: make it with `mass_nnunet split`" in line
    assert line == refused(root, "MASSTrainer")


@pytest.mark.parametrize("name", trainers.__all__)
def test_every_method_misses_the_arrays_that_it_reads(root, name):
    missing = [(CT, case) for case in entry(root, CT)["train"] + entry(root, CT)["val"]]
    if name in GROUP_METHODS:
        missing += [(MRI, case) for case in entry(root, MRI)["train"]]
    for dataset, case in missing:
        for ending in (".b2nd", "_seg.b2nd"):
            file = root / "preprocessed" / dataset / ARRAYS / f"{case}{ending}"
            content = file.read_bytes()
            file.unlink()
            assert f"{file} does not exist: plan the group again: mass_nnunet plan -d 801 802" in refused(root, name)
            file.write_bytes(content[:-20])
            assert f"{file} is damaged: plan the group again" in refused(root, name)
            file.write_bytes(content)
    shutil.rmtree(root / "preprocessed" / (MRI if name in GROUP_METHODS else CT) / ARRAYS)
    assert "mass_nnunet plan -d 801 802" in refused(root, name)


@pytest.mark.parametrize(
    ("name", "reads"), [("MASSTrainer", True), ("TCSMTrainer", True), ("DualStreamTrainer", False)]
)
def test_arrays_without_labels_are_missed_by_methods_that_read_them(root, name, reads):
    for folder, case in ((f"{ARRAYS}_unlabelled", "ctun"), (ARRAYS, entry(root, CT)["unlabelled"][0])):
        file = root / "preprocessed" / CT / folder / f"{case}.b2nd"
        content = file.read_bytes()
        file.unlink()
        if name != "DualStreamTrainer":
            assert f"{case}.b2nd does not exist: plan the group again" in refused(root, name)
        else:
            trainer(name)
        file.write_bytes(content)


@pytest.mark.parametrize("name", ["SupervisedTrainer", "MASSTrainer"])
def test_a_scan_that_was_removed_after_the_split_is_named(root, name):
    case = entry(root, CT)["train"][0]
    (root / "raw" / CT / "imagesTr" / f"{case}_0000.nii.gz").unlink()
    line = refused(root, name)
    assert f"has {case}, not in imagesTr of" in line and "run `mass_nnunet split` again" in line


@pytest.mark.parametrize("name", ["SupervisedTrainer", "MASSTrainer"])
def test_scans_that_were_added_after_the_split_are_counted(root, name):
    raw = root / "raw" / CT
    for new in ("new1", "new2"):
        shutil.copyfile(raw / "imagesUn" / "ctun_0000.nii.gz", raw / "imagesUn" / f"{new}_0000.nii.gz")
    line = refused(root, name)
    assert line.startswith(f"error: 2 scans of {raw} (new1, new2) not in fold 0 of ")
    assert line.endswith("run `mass_nnunet split` again, for all datasets of the group together")
    assert refused(root, "MASSTrainer", "802") == line


def test_without_raw_data_the_arrays_are_enough(root, monkeypatch):
    shutil.rmtree(root / "raw" / CT / "imagesTr")
    shutil.rmtree(root / "raw" / CT / "imagesUn")
    trainer("MASSTrainer")
    shutil.rmtree(root / "raw")
    trainer("MASSTrainer")
    monkeypatch.delenv("nnUNet_raw")
    trainer("MASSTrainer")


def put_value(root: Path, case: str, value: int) -> None:
    file = root / "preprocessed" / CT / ARRAYS / f"{case}_seg.b2nd"
    labels = blosc2.open(urlpath=str(file), mode="r")[:]
    labels[0, 0, 0, 0] = value
    file.unlink()
    blosc2.asarray(labels, urlpath=str(file), mode="w")


@pytest.mark.parametrize("name", ["SupervisedTrainer", "MASSTrainer"])
@pytest.mark.parametrize("part", ["train", "val"])
def test_a_label_value_beyond_dataset_json_is_named_with_its_file(root, name, part):
    case = entry(root, CT)[part][0]
    put_value(root, case, 9)
    line = refused(root, name)
    assert f"{root / 'raw' / CT / 'labelsTr' / case}.nii.gz holds the value 9, which dataset.json does not name" in line
    assert line.endswith("then plan the group again: mass_nnunet plan -d 801 802")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", {"background": 0, "liver": 1, "right_kidney": 2, "left_kidney": 3, "spleen": 4}),
        ("channel_names", {"0": "CTA"}),
    ],
)
def test_a_dataset_json_that_changed_after_the_plan_is_named(root, key, value):
    """The arrays still have the former values and intensities."""
    file = root / "raw" / CT / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    line = refused(root, "MASSTrainer")
    assert f"{file} has other {key} than {root / 'preprocessed' / CT / 'dataset.json'}, with which the scans" in line
    assert line.endswith("plan the group again: mass_nnunet plan -d 801 802")


@pytest.mark.parametrize("later", [1, -(10**18)], ids=["newer", "older"])
@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("val", "labelsTr/{}.nii.gz"),
        ("train", "imagesTr/{}_0000.nii.gz"),
        ("unlabelled", "imagesTr/{}_0000.nii.gz"),
        ("unlabelled", "imagesUn/{}_0000.nii.gz"),
    ],
)
def test_a_scan_that_was_changed_after_the_plan_is_told_once(root, part, file, later, capsys):
    """Files may have other times because they were copied, so it is a note."""
    inputs._tell.cache_clear()
    trainer("MASSTrainer").initialize()
    assert "note: files of" not in capsys.readouterr().err
    case, changed = next(
        (case, path) for case in entry(root, CT)[part] if (path := root / "raw" / CT / file.format(case)).is_file()
    )
    written = changed.stat().st_mtime_ns
    os.utime(changed, ns=(written + later, written + later))
    trainer("MASSTrainer").initialize()  # with the trainer of the other dataset
    line = f"note: files of {case} in {root / 'raw' / CT} are gone or new, or have other sizes or times than when they"
    assert capsys.readouterr().err.count(line) == 1


def test_a_hidden_label_map_that_was_changed_is_not_told(root, capsys):
    inputs._tell.cache_clear()
    for case in entry(root, CT)["unlabelled"]:
        for file in (root / "raw" / CT / "labelsTr").glob(f"{case}.nii.gz"):
            os.utime(file, (1, 1))
    trainer("MASSTrainer").initialize()
    assert "note: files of" not in capsys.readouterr().err


def test_no_training_begins_while_the_group_is_planned(root):
    folder = root / "preprocessed" / MRI
    with Lock.take(folder, tidy=True):
        line = refused(root, "MASSTrainer")
        assert line == (
            f"error: {folder} belongs to another `mass_nnunet plan` or `annotate-in`: start again when that has ended"
        )
        trainer("SupervisedTrainer")  # of the other dataset alone
    trainer("MASSTrainer")


def test_hidden_labels_are_not_read(root):
    for case in entry(root, CT)["unlabelled"]:
        for file in (root / "preprocessed" / CT / ARRAYS).glob(f"{case}_seg.b2nd"):
            file.write_bytes(b"nothing")
    for name in ("SupervisedTrainer", "MASSTrainer", "TCSMTrainer"):
        trainer(name)


def test_values_of_a_label_map(root):
    case = entry(root, CT)["train"][0]
    file = root / "preprocessed" / CT / ARRAYS / f"{case}_seg.b2nd"
    labels = blosc2.open(urlpath=str(file), mode="r")[:]
    assert values(file) == set(np.unique(labels).tolist())
    put_value(root, case, -7)
    assert values(file) - set(np.unique(labels).tolist()) == {-7}


def test_a_renamed_dataset_has_one_way_out(root):
    new = "Dataset801_RENAMED"
    trainer("MASSTrainer")
    for kind in ("raw", "preprocessed", "results"):
        (root / kind / CT).rename(root / kind / new)
    lines = {refused(root, name, dataset) for name, dataset in (("MASSTrainer", "801"), ("MASSTrainer", "802"))}
    assert len(lines) == 1
    (line,) = lines
    assert f"{CT} does not exist" in line and "plan the group again: mass_nnunet plan -d 801 802" in line
    arrays = {file: file.stat().st_mtime_ns for file in (root / "preprocessed" / new).rglob("*un.b2nd")}
    network = ["--spacing", "fit", "--patch-size", "8", "16", "16"]
    assert main(["plan", "-d", "801", "802", *network, "--features", "4", "-np", "1"]) == 0
    assert all(file.stat().st_mtime_ns == written for file, written in arrays.items()) and arrays
    trainer("MASSTrainer")
    trainer("MASSTrainer", "802")
    assert not (root / "preprocessed" / CT).exists()


def test_a_configuration_that_was_not_planned(root):
    for name in (CT, MRI):
        file = root / "preprocessed" / name / "MASSPlans.json"
        plans = json.loads(file.read_text())
        plans["configurations"]["other"] = plans["configurations"].pop("3d_fullres")
        file.write_text(json.dumps(plans))
    assert "MASSPlans of Dataset801_CTS have no 3d_fullres: train other" in refused(root, "SupervisedTrainer")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda plans: plans["mass"].update(modality="other"), True),
        (lambda plans: plans.update(dataset_name="other"), True),
        (lambda plans: plans["mass"].update(epochs=99), False),
        (lambda plans: plans["mass"]["hyperparameters"].update(ramp=0.5), False),
        (lambda plans: plans["configurations"]["3d_fullres"].update(patch_size=[1, 2, 3]), False),
        (lambda plans: plans.pop("mass"), False),
    ],
)
def test_plans_of_one_planning(change, same):
    ours = trainer("MASSTrainer").plans_manager.plans
    theirs = deepcopy(ours)
    change(theirs)
    assert same_group(ours, theirs, "3d_fullres") == same


def test_labels_of_another_tool_are_among_what_a_training_reads(tmp_path):
    dataset = PlannedDataset(tmp_path, {}, {}, tmp_path / "arrays", "")
    file = tmp_path / "arrays_pseudo" / "a.b2nd"
    file.parent.mkdir()
    file.touch()
    fold = Fold((), (), ("a", "b"), 1.0, 0)
    assert [path for path in dataset.scans(fold, True) if path.parent == file.parent] == [file]
    assert dataset.scans(fold, False) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda plans: plans["configurations"]["3d_fullres"].pop("architecture"), "have no architecture in 3d_fullres"),
        (lambda plans: plans["mass"].update(modalities=[5]), "has mass.modalities [5], which is of another form"),
        (lambda plans: plans.update(label_manager="Absent"), "'Absent' in the plans of Dataset801_CTS is no label man"),
    ],
)
def test_plans_of_another_form(root, change, told):
    plans = deepcopy(trainer("SupervisedTrainer").plans_manager.plans) | {"continue_training": False}
    change(plans)
    kind = type(trainer("SupervisedTrainer"))
    with pytest.raises(SystemExit) as raised:
        kind(plans, "3d_fullres", 0, trainer("SupervisedTrainer").dataset_json, torch.device("cpu"))
    assert told in str(raised.value)


def test_plans_of_a_partner_of_another_form(root):
    file = root / "preprocessed" / MRI / "MASSPlans.json"
    plans = json.loads(file.read_text())
    del plans["configurations"]["3d_fullres"]["data_identifier"]
    file.write_text(json.dumps(plans))
    told = f"the plans in {file} have no data_identifier in 3d_fullres: plan the group again"
    assert told in refused(root, "MASSTrainer")
    file.write_text("5")
    assert "MASSPlans.json has no plans_name: plan the group again" in refused(root, "MASSTrainer")
