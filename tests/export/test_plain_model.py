"""A plain U-Net in a zip, installed and run by stock nnU-Net where this package cannot be imported."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.model_sharing.model_import import install_model_from_zip_file
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

import stock_prediction
from exported_model import EXPORTED, SUPERVISED, checkpoint_of
from mass_nnunet.api.loading import load_model
from mass_nnunet.errors import UserError
from mass_nnunet.export.plain_model import check_trained, plain_checkpoint, public_dataset, public_plans, write_zip
from tiny_group import CT, MODEL, MRI, command, trainer


def test_nothing_but_what_nnunet_knows_is_public():
    plans = {"plans_name": "MASSPlans", "configurations": {"3d_fullres": {}}, "mass": {"dataset": "Dataset802_MRS"}}
    assert public_plans(plans) == {"plans_name": "MASSPlans", "configurations": {"3d_fullres": {}}}
    dataset = {
        "labels": {"background": 0, "liver": 1},
        "file_ending": ".nii.gz",
        "licence": "CC-BY 4.0",
        "training": [{"image": "/data/miller.nii.gz"}],
        "dataset": {"miller": {"images": ["/data/miller.nii.gz"]}},
        "converted_from": "/home/somebody/chaos.zip",
    }
    assert public_dataset(dataset) == {key: dataset[key] for key in ("labels", "file_ending", "licence")}


@pytest.fixture
def folder(tmp_path):
    """Fold 0 trained, fold 1 not to its end."""
    for fold, name in ((0, "checkpoint_final.pth"), (0, "checkpoint_best.pth"), (1, "checkpoint_latest.pth")):
        file = tmp_path / f"fold_{fold}" / name
        file.parent.mkdir(exist_ok=True)
        torch.save({"weights": torch.zeros(3)}, file)
    return tmp_path


def test_what_is_trained_is_fine(folder):
    check_trained(folder, [0], ["checkpoint_final.pth", "checkpoint_best.pth"])
    check_trained(folder, [0, 1], [])


@pytest.mark.parametrize(
    ("fold", "text"),
    [
        (1, "fold_1/checkpoint_final.pth does not exist: let the training end .*written: checkpoint_latest.pth"),
        (2, "fold_2 does not exist: train fold 2, or name others with -f .trained: 0 1"),
    ],
)
def test_what_is_not_trained_is_said(folder, fold, text):
    with pytest.raises(UserError, match=text):
        check_trained(folder, [0, fold], ["checkpoint_final.pth"])


def test_a_damaged_checkpoint_is_said(folder):
    file = folder / "fold_0" / "checkpoint_final.pth"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"checkpoint_final.pth is damaged"):
        check_trained(folder, [0], ["checkpoint_final.pth"])


def test_no_model_at_all(tmp_path):
    with pytest.raises(UserError, match="does not exist: train the model"):
        check_trained(tmp_path / "none", [0], [])


def test_a_zip_is_whole_or_not_there(tmp_path):
    def entries():
        yield "a/b.json", "{}"
        raise UserError("the second file is bad")

    out = tmp_path / "model.zip"
    out.write_bytes(b"before")
    with pytest.raises(UserError):
        write_zip(out, entries())
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
    assert out.read_bytes() == b"before"
    write_zip(out, [("a/b.json", "{}"), ("a/c", b"12")])
    with zipfile.ZipFile(out) as file:
        assert {name: file.read(name) for name in file.namelist()} == {"a/b.json": b"{}", "a/c": b"12"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Environment of a machine that has nnU-Net and not this package."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "mass_nnunet.py").write_text("raise ModuleNotFoundError(\"No module named 'mass_nnunet'\")\n")
    changes = {"PYTHONPATH": str(folder), "nnUNet_extTrainer": "", "nnUNet_results": str(folder / "results")}
    assert "No module named 'mass_nnunet'" in python(changes, "-c", "import mass_nnunet").stderr
    return changes


@pytest.fixture(scope="module")
def installed(exported, alone):
    """Folders of the models of the group, installed there by nnU-Net's own function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("nnUNet_results", alone["nnUNet_results"])
        for name in (CT, MRI):
            install_model_from_zip_file(str(exported[name]))
    return {name: Path(alone["nnUNet_results"]) / name / EXPORTED for name in (CT, MRI)}


def python(changes: dict[str, str], *words: str) -> subprocess.CompletedProcess:
    # As many threads as here: they change the last digits of a convolution.
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())} | changes
    # Not in the repository, where Python finds this package without it being installed.
    where = changes["PYTHONPATH"]
    return subprocess.run([sys.executable, *words], env=environment, cwd=where, capture_output=True, text=True)


@pytest.mark.parametrize(("name", "case"), [(CT, "cttest"), (MRI, "mrtest")])
def test_stock_nnunet_predicts_what_the_segmentation_branch_does(
    root, alone, installed, tmp_path, monkeypatch, name, case
):
    scan = root / "raw" / name / "imagesTs" / f"{case}_0000.nii.gz"
    done = python(alone, stock_prediction.__file__, str(installed[name]), str(scan), str(tmp_path / "stock"))
    assert done.returncode == 0, done.stderr
    # On processors that have it, MASSNet computes in bfloat16, stock nnU-Net in float32.
    monkeypatch.setattr("mass_nnunet.networks.blocks.NATIVE_BFLOAT16", False)
    predictor = load_model(root / "results" / name / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    predictor.network.inference = "segmentation"
    stock_prediction.predict(predictor, scan, tmp_path / "ours")
    logits = {who: np.load(tmp_path / f"{who}.npy") for who in ("stock", "ours")}
    maps = {who: sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{who}.nii.gz"))) for who in logits}
    assert np.array_equal(logits["stock"], logits["ours"])
    assert np.array_equal(maps["stock"], maps["ours"])
    assert len(np.unique(maps["ours"])) > 2  # neither is empty
    predictor.network.active = (1 - predictor.network.active[0],)
    stock_prediction.predict(predictor, scan, tmp_path / "wrong")
    assert not np.allclose(np.load(tmp_path / "wrong.npy"), logits["ours"], atol=0.05)  # of the other encoder


@pytest.mark.parametrize("name", [CT, "supervised"])
def test_the_layout_is_what_the_module_of_3d_slicer_reads(exported, tmp_path, name):
    """The rules of SlicerNNUnet (SlicerNNUNetLib/Parameter.py): it is given the folder into which a zip was unpacked.

    It takes the first dataset.json at any depth; the folder of this file, TRAINER__PLANS__CONFIGURATION, holds
    fold_0/checkpoint_final.pth; the folder above is the dataset's name for -d, and that above nnUNet_results.
    """
    with zipfile.ZipFile(exported[name]) as archive:
        archive.extractall(tmp_path)
    (dataset,) = tmp_path.rglob("dataset.json")
    assert dataset.parent.name.split("__") == ["nnUNetTrainer", "MASSPlans", "3d_fullres"]
    assert (dataset.parent / "plans.json").is_file()
    assert (dataset.parent / "fold_0" / "checkpoint_final.pth").is_file()
    assert dataset.parents[1].name == CT and dataset.parents[2] == tmp_path
    content = json.loads(dataset.read_text())
    assert content["file_ending"] == ".nii.gz", "it writes the volume as volume_0000.nii.gz"
    assert all(isinstance(value, int) for value in content["labels"].values()), "segments get the names of labels"


def test_by_the_command_of_the_card(root, alone, installed, tmp_path):
    card = (installed[MRI] / "MODEL_CARD.md").read_text()
    (line,) = [line.split() for line in card.splitlines() if "nnUNetv2_predict" in line]
    line[line.index("-i") + 1], line[line.index("-o") + 1] = str(root / "raw" / MRI / "imagesTs"), str(tmp_path)
    command(root, *line, "-device", "cpu", "-npp", "0", "-nps", "0", **alone)
    assert (tmp_path / "mrtest.nii.gz").is_file()


@pytest.mark.parametrize("name", [CT, MRI, "supervised"])
def test_weights_are_those_of_a_plain_network(exported, name):
    checkpoint, _ = checkpoint_of(exported[name])
    settings = checkpoint["init_args"]
    plans = PlansManager(settings["plans"])
    configuration, dataset = plans.get_configuration(settings["configuration"]), settings["dataset_json"]
    network = nnUNetTrainer.build_network_architecture(
        plans, configuration, determine_num_input_channels(plans, configuration, dataset), len(dataset["labels"])
    )
    assert type(network).__name__ == "PlainConvUNet"
    network.load_state_dict(checkpoint["network_weights"], strict=True)
    assert checkpoint["trainer_name"] == "nnUNetTrainer"


def test_supervised_weights_and_mirroring_are_the_trained_ones(root, exported):
    checkpoint, _ = checkpoint_of(exported["supervised"])
    trained = torch.load(root / "results" / CT / SUPERVISED / "fold_0/checkpoint_final.pth", weights_only=True)
    assert trained["inference_allowed_mirroring_axes"]
    assert checkpoint["inference_allowed_mirroring_axes"] == trained["inference_allowed_mirroring_axes"]
    assert checkpoint["network_weights"].keys() == trained["network_weights"].keys()
    for key, value in trained["network_weights"].items():
        assert torch.equal(checkpoint["network_weights"][key], value)
    assert checkpoint_of(exported[MRI])[0]["inference_allowed_mirroring_axes"] is None


def test_stock_training_starts_from_it(root, installed):
    stock = trainer("nnUNetTrainer", "802")
    stock.initialize()
    file = installed[MRI] / "fold_0" / "checkpoint_final.pth"
    load_pretrained_weights(stock.network, str(file))
    expected = torch.load(file, weights_only=True)["network_weights"]["decoder.stages.0.convs.0.conv.weight"]
    assert torch.equal(stock.network.state_dict()["decoder.stages.0.convs.0.conv.weight"], expected)


def test_a_network_that_is_not_plain(root):
    predictor = load_model(root / "results" / CT / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    predictor.network = predictor.network.correspondence
    with pytest.raises(UserError, match="the network of MASSTrainer is no PlainConvUNet with a segmentation head"):
        plain_checkpoint(predictor, "3d_fullres", 0)
