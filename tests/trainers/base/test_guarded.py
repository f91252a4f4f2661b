"""A training goes on only with what it was begun with, and ends in one line."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet.cli import main
from mass_nnunet.runtime.lock import is_held
from mass_nnunet.training.loaders import outside_folder
from refused_training import METHODS, begun, files, refused, write_nan
from tiny_group import CONFIGURATION, CT, MRI, entry, trainer

pytestmark = pytest.mark.usefixtures("root")

PLAN = [
    "plan",
    "-d",
    "801",
    "802",
    "--spacing",
    "fit",
    "--patch-size",
    "8",
    "16",
    "16",
    "-np",
    "1",
    "--iterations",
    "2",
]


def goes_on(name: str, dataset: str = "801"):
    """The training as ``--c`` continues it."""
    one = trainer(name, dataset, continue_training=True)
    one.load_checkpoint(str(Path(one.output_folder) / "checkpoint_latest.pth"))
    return one


def not_going_on(root: Path, name: str, dataset: str = "801") -> str:
    """The line by which a training refuses to go on, without a change to any file."""
    before = {file: file.read_bytes() for file in files(root) if file.is_file()}
    with pytest.raises(SystemExit) as ended:
        trainer(name, dataset, continue_training=True)
    assert {file: file.read_bytes() for file in files(root) if file.is_file()} == before
    line = str(ended.value.code)
    assert line.startswith("error: ") and "\n" not in line
    assert "train without --c to begin anew, or restore" in line
    with pytest.raises(SystemExit) as ended:  # as with --val
        trainer(name, dataset).load_checkpoint(line.split()[1])
    assert str(ended.value.code) == line
    return line


def with_features(root: Path, first: int) -> None:
    """Give the plans of both datasets a network of other width."""
    for name in (CT, MRI):
        file = root / "preprocessed" / name / "MASSPlans.json"
        plans = json.loads(file.read_text())
        architecture = plans["configurations"][CONFIGURATION]["architecture"]["arch_kwargs"]
        architecture["features_per_stage"] = [first * 2**stage for stage in range(architecture["n_stages"])]
        file.write_text(json.dumps(plans))


@pytest.mark.parametrize(("name", "dataset"), [(METHODS[0], "801"), (METHODS[1], "801"), (METHODS[1], "802")])
def test_a_training_does_not_go_on_with_other_plans(root, name, dataset):
    begun(name)
    if dataset == "801":
        goes_on(name)
    with_features(root, 8)
    line = not_going_on(root, name, dataset)
    assert "features_per_stage [4, 8" in line and "] instead of [8, 16" in line
    with_features(root, 4)
    goes_on(name, dataset)


def test_a_training_goes_on_for_longer_from_arrays_made_anew_and_under_another_name(root):
    one = begun("MASSTrainer")
    for kind in ("raw", "preprocessed", "results"):
        (root / kind / CT).rename(root / kind / "Dataset801_RENAMED")
    assert main([*PLAN, "--features", "4", "--epochs", "7", "--inference", "segmentation"]) == 0
    two = goes_on("MASSTrainer")
    assert two.num_epochs == 7
    for key, value in one.network.state_dict().items():
        assert torch.equal(two.network.state_dict()[key], value)


@pytest.mark.parametrize("name", METHODS)
def test_a_training_does_not_go_on_with_another_split(root, name):
    begun(name)
    assert main(["split", "-d", "801", "802", "--label-rates", "0.5", "1.0"]) == 0
    assert "another split of Dataset801 (train" in not_going_on(root, name)


@pytest.mark.parametrize("name", METHODS)
def test_a_model_is_validated_after_the_dataset_has_grown_and_other_scans_are_annotated(root, name, monkeypatch):
    file = Path(begun(name).output_folder) / "checkpoint_latest.pth"
    raw = root / "raw" / CT / "imagesUn"
    shutil.copyfile(raw / "ctun_0000.nii.gz", raw / "new_0000.nii.gz")
    assert "not in fold 0" in refused(root, name)
    monkeypatch.setattr("sys.argv", ["nnUNetv2_train", "--val"])
    trainer(name).load_checkpoint(str(file))
    val = entry(root, CT)["val"]
    assert main(["split", "-d", "801", "802", "--label-rates", "0.5", "1.0"]) == 0
    assert entry(root, CT)["val"] == val
    trainer(name).load_checkpoint(str(file))
    monkeypatch.setattr("sys.argv", ["nnUNetv2_train", "--c"])
    assert f"{new_array(root)} does not exist" in refused(root, "MASSTrainer")


def new_array(root: Path) -> Path:
    """Where the scan that has come anew would be preprocessed."""
    return root / "preprocessed" / CT / "MASSPlans_3d_fullres_unlabelled" / "new.b2nd"


@pytest.mark.parametrize("name", METHODS)
def test_a_model_is_not_validated_on_scans_that_it_may_have_seen(root, name, monkeypatch):
    file = Path(begun(name).output_folder) / "checkpoint_latest.pth"
    monkeypatch.setattr("sys.argv", ["nnUNetv2_train", "--val"])
    splits = root / "preprocessed" / CT / "splits_final.json"
    folds = json.loads(splits.read_text())
    folds[0]["train"], folds[0]["val"] = folds[0]["val"], folds[0]["train"]
    splits.write_text(json.dumps(folds))
    with pytest.raises(SystemExit) as ended:
        trainer(name).load_checkpoint(str(file))
    assert str(ended.value.code) == (
        f"error: {file} was begun with something else, another split of Dataset801 (val): "
        "restore what it was begun with"
    )
    case = folds[0]["val"][0]
    (root / "preprocessed" / CT / "MASSPlans_3d_fullres" / f"{case}.b2nd").unlink()
    assert f"{case}.b2nd does not exist" in refused(root, name)


def test_a_training_does_not_go_on_with_other_scans(root):
    begun("MASSTrainer", "802")
    write_nan(root, MRI, entry(root, MRI)["unlabelled"][0])
    assert "other preprocessed scans of Dataset802" in not_going_on(root, "MASSTrainer")


@pytest.mark.parametrize(
    ("name", "reads"), [("SupervisedTrainer", False), ("BCPTrainer", False), ("MASSTrainer", True)]
)
def test_a_training_that_reads_labels_of_another_tool_tells_it(root, name, reads):
    plain = trainer(name, "802").begun["Dataset802"]
    assert "outside" not in plain
    (arrays,) = (root / "preprocessed" / MRI).glob("MASSPlans_3d_fullres")
    folder = outside_folder(arrays)
    folder.mkdir()
    shutil.copyfile(next(arrays.glob("*_seg.b2nd")), folder / f"{entry(root, MRI)['unlabelled'][0]}.b2nd")
    assert trainer(name, "802").begun["Dataset802"].get("outside", {}).get("maps", 0) == reads


def test_a_checkpoint_of_an_older_version_is_known_by_its_plans(root):
    begun("MASSTrainer")
    for file in (root / "results").rglob("*.pth"):
        content = torch.load(file, weights_only=True)
        assert content.pop("mass_begun").keys() == {"Dataset801", "Dataset802"}
        torch.save(content, file)
    goes_on("MASSTrainer")
    with_features(root, 8)
    assert "features_per_stage" in not_going_on(root, "MASSTrainer")


@pytest.mark.parametrize("name", ["TCSMTrainer", "VoxelMorphTrainer", "LTNetTrainer"])
def test_a_training_does_not_go_on_with_a_later_version_of_its_method(root, name, monkeypatch, capsys):
    file = Path(begun(name).output_folder) / "checkpoint_latest.pth"
    goes_on(name)
    content = torch.load(file, weights_only=True)
    assert content["network_weights"]._metadata, "what PairNet knows an earlier version by"
    del content["mass_begun"]["Dataset801"]["revision"]
    torch.save(content, file)
    assert "an earlier or later version of the method" in not_going_on(root, name)
    assert "note: " not in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["nnUNetv2_train", "--val"])
    trainer(name).load_checkpoint(str(file))
    assert capsys.readouterr().err.startswith(f"note: {file} was trained by an earlier or later version of its method")


def test_a_damaged_checkpoint_and_one_of_another_network(root):
    one = begun("MASSTrainer")
    file = Path(one.output_folder) / "checkpoint_latest.pth"
    content = torch.load(file, weights_only=True)
    content["network_weights"] = {"other": torch.ones(1)}
    torch.save(content, file)
    with pytest.raises(SystemExit, match=r"^error: \S+ holds another network [^\n]*$"):
        goes_on("MASSTrainer")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(SystemExit, match=r"^error: \S+checkpoint_latest.pth cannot be read \([^\n]*$"):
        trainer("MASSTrainer", continue_training=True)


def test_no_scan_is_named_in_a_checkpoint(root):
    begun("MASSTrainer")
    text = json.dumps(torch.load(next((root / "results").rglob("*.pth")), weights_only=True)["mass_begun"])
    assert not any(case in text for part in ("train", "val", "unlabelled") for case in entry(root, CT)[part])


@pytest.mark.parametrize("method", ["run_training", "perform_actual_validation"])
def test_ctrl_c_ends_a_training_in_one_line(root, monkeypatch, capsys, method):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    one = begun("SupervisedTrainer")
    monkeypatch.setattr(nnUNetTrainer, method, interrupt)
    with pytest.raises(SystemExit) as ended:
        getattr(one, method)()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted: go on with --c from the last checkpoint\n"
    assert not is_held(Path(one.output_folder))
    monkeypatch.setattr(nnUNetTrainer, "__init__", interrupt)
    with pytest.raises(SystemExit):
        trainer("SupervisedTrainer")
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("name", "dataset", "arrays"),
    [
        ("SupervisedTrainer", CT, "MASSPlans_3d_fullres"),
        ("MASSTrainer", MRI, "MASSPlans_3d_fullres"),
        ("MASSTrainer", CT, "MASSPlans_3d_fullres_unlabelled"),
    ],
)
def test_a_training_ends_when_its_scans_are_preprocessed_anew(name, dataset, arrays, root):
    one = trainer(name)
    folder = root / "preprocessed" / dataset / arrays
    array = next(file for file in one.arrays_read[dataset[:10]] if file.parent == folder)
    array.write_bytes(array.read_bytes() + b"\0")
    with pytest.raises(SystemExit) as ended:
        one.on_epoch_end()
    assert f"scans of {dataset[:10]} were changed while this training read them: train again" in str(ended.value.code)
