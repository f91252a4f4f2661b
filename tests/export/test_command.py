"""An exported model, installed and run by stock nnU-Net where this package cannot be imported."""

import json
import os
import pickletools
import re
import shutil
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
from full_disk import file_limit
from mass_nnunet.api.loading import load_model, predicting_by
from mass_nnunet.cli import main
from mass_nnunet.errors import UserError
from mass_nnunet.export.command import outside_count, stated_licence
from mass_nnunet.export.plain_model import plain_checkpoint
from tiny_group import CT, MODEL, MRI, command, make_group, trainer, use_folders

EXPORTED = "nnUNetTrainer__MASSPlans__3d_fullres"
SUPERVISED = "SupervisedTrainer__MASSPlans__3d_fullres"
SECRET = "/archive/miller_anna_1961.nii.gz"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Models that have hardly learned anything; their files name scans and paths, as those of some converters do."""
    root = tmp_path_factory.mktemp("export")
    make_group(root, 2, 2, "--inference", "fused")
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        for name in (CT, MRI):
            dataset = root / "preprocessed" / name / "dataset.json"
            content = json.loads(dataset.read_text()) | {"training": [{"image": SECRET}], "licence": "CC-BY-SA 4.0"}
            content["reference"] = f"Who has made {name}"
            dataset.write_text(json.dumps(content))
        for name in ("MASSTrainer", "SupervisedTrainer"):
            torch.manual_seed(0)
            one = trainer(name)
            one.num_epochs = 1
            one.run_training()
        yield root


@pytest.fixture(scope="module")
def exported(root):
    """The zip of each model."""
    zips = {}
    for name, ident, kind in ((CT, "801", "MASS"), (MRI, "802", "MASS"), ("supervised", "801", "Supervised")):
        zips[name] = root / f"{name}.zip"
        assert main(["export", "-d", ident, "-tr", f"{kind}Trainer", "-o", str(zips[name])]) == 0
    return zips


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


def checkpoint_of(file: Path) -> tuple[dict, zipfile.ZipFile]:
    """The checkpoint in an exported zip, as torch reads it without code, and as the zip that it is."""
    with zipfile.ZipFile(file) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".pth")]
        where = Path(archive.extract(name, file.with_suffix("")))
    return torch.load(where, weights_only=True), zipfile.ZipFile(where)


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


def test_an_adapted_model_predicts_what_the_original_does(root, tmp_path):
    """One U-Net of this package, without atlases, and without a word of the other dataset."""
    zipped, logits = tmp_path / "adapted.zip", []
    assert main(["export", "-d", "802", "--inference", "adapted", "-o", str(zipped)]) == 0
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / MRI / "SingleModalityTrainer__MASSPlans__3d_fullres"
    card = (folder / "MODEL_CARD.md").read_text()
    assert "nnUNetv2_predict -d Dataset802_MRS -i IN -o OUT -tr SingleModalityTrainer" in card
    assert CT not in (folder / "plans.json").read_text()
    weights = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert weights["trainer_name"] == "SingleModalityTrainer"
    assert all(key.startswith("unets.0.") for key in weights["network_weights"])
    assert weights["init_args"]["plans"] == json.loads((folder / "plans.json").read_text())
    for model in (folder, root / "results" / MRI / MODEL):
        predictor = load_model(model, 0, "checkpoint_final.pth", torch.device("cpu"))
        with predicting_by(predictor.network, "adapted"):
            scan = root / "raw" / MRI / "imagesTs" / "mrtest_0000.nii.gz"
            stock_prediction.predict(predictor, scan, tmp_path / "found")
        logits.append(np.load(tmp_path / "found.npy"))
        assert predictor.network.intensity_weight
    assert np.array_equal(*logits)


def test_a_model_without_adaptation_is_not_exported_as_one(root, tmp_path, capsys):
    words = ["export", "-d", "801", "-tr", "SupervisedTrainer", "--inference", "adapted", "-o", str(tmp_path / "m.zip")]
    assert main(words) == 2
    assert "does not predict by adapted: export it without --inference" in capsys.readouterr().err


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
    command(root, *line, "-device", "cpu", "-npp", "1", "-nps", "1", **alone)
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


def strings(file: zipfile.ZipFile, name: str) -> str:
    """All text in a pickle."""
    return "\n".join(arg for _, arg, _ in pickletools.genops(file.read(name)) if isinstance(arg, str))


@pytest.mark.parametrize("name", [CT, MRI, "supervised"])
def test_no_patient_goes_out(root, exported, name):
    checkpoint, inner = checkpoint_of(exported[name])
    texts = [strings(inner, entry) for entry in inner.namelist() if entry.endswith(".pkl")]
    with zipfile.ZipFile(exported[name]) as archive:
        names = {Path(entry).name for entry in archive.namelist()}
        texts += [archive.read(entry).decode() for entry in archive.namelist() if not entry.endswith(".pth")]
    assert names == {"checkpoint_final.pth", "plans.json", "dataset.json", "MODEL_CARD.md"}
    cases = [path.name.split("_")[0] for path in (root / "raw").rglob("*_0000.nii.gz")]
    assert len(cases) == 14
    # The search sees what is there, and there is something to leave out.
    assert "dataset_json" in texts[0]
    for model in (f"{CT}/{MODEL}", f"{MRI}/{MODEL}", f"{CT}/{SUPERVISED}"):
        assert SECRET in (root / "results" / model / "dataset.json").read_text()
    for secret in (*cases, str(root), SECRET):
        assert not [text for text in texts if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)], secret
    # Every byte that torch stored is of a weight of the plain network.
    stored = sum(entry.file_size for entry in inner.infolist() if "/data/" in entry.filename)
    weights = {value.data_ptr(): value for value in checkpoint["network_weights"].values()}
    assert stored == sum(value.numel() * value.element_size() for value in weights.values())
    assert set(checkpoint) == {
        "network_weights",
        "trainer_name",
        "init_args",
        "inference_allowed_mirroring_axes",
    }


def test_the_card_tells_the_fold_and_the_scores(root, tmp_path):
    folder = root / "results" / CT / SUPERVISED
    summary = {"mean": {str(value): {"Dice": 0.5 + value / 100} for value in range(1, 5)}, "metric_per_case": []}
    (folder / "fold_0" / "validation").mkdir(exist_ok=True)
    (folder / "fold_0" / "validation" / "summary.json").write_text(json.dumps(summary))
    table = tmp_path / "scores.csv"
    rows = [f"case{i},{organ},0.{i}5,{i}.0" for organ in ("spleen", "liver") for i in (7, 8)]
    table.write_text("\n".join(["case,organ,dice,hd95", *rows]))
    out = tmp_path / "model.zip"
    words = ["export", "-d", "801", "-tr", "SupervisedTrainer", "-o", str(out), "--scores", str(table)]
    assert main(words) == 0
    card = read_card(out)
    assert "| Dataset801_CTS | CT | 0 | 1 | 4 | 1 | 0.25 | 0 |" in card
    assert "Dataset802" not in card
    assert "| spleen | 0.510 |" in card
    assert "| liver | 2 | 0.800 ± 0.071 | 7.5 ± 0.7 | 0 |" in card
    assert "CC-BY-SA 4.0" in card
    assert main([*words, "--force", "--licence", "for research alone"]) == 0
    assert "for research alone" in read_card(out)


def test_licence_and_references_of_all_data_that_a_model_has_seen(exported):
    card = read_card(exported[CT])
    assert "## Licence\n\nCC-BY-SA 4.0\n" in card
    assert f"- Who has made {CT}\n- Who has made {MRI}\n" in card
    assert f"- Who has made {MRI}\n" not in read_card(exported["supervised"])
    assert stated_licence({"A": {"licence": "X"}, "B": {"licence": "X"}}) == "X"
    assert stated_licence({"A": {"licence": "X"}, "B": {}}) == "A: X; B: not stated"
    assert stated_licence({"A": {}, "B": {}}) is None


def test_scores_of_another_prediction_are_not_told(root, tmp_path):
    folder = root / "results" / CT / MODEL / "fold_0" / "validation"
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps({"mean": {"1": {"Dice": 0.91}}}))
    assert main(["export", "-d", "801", "-o", str(tmp_path / "m.zip")]) == 0
    card = read_card(tmp_path / "m.zip")
    assert "0.91" not in card
    assert "predicted by `fused`, which this model does not do" in card
    assert "| Dataset802_MRS | MRI | 0 | 1 | 4 | 1 | 0.25 | 0 |" in card


def read_card(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return archive.read(f"{CT}/{EXPORTED}/MODEL_CARD.md").decode()


def test_splits_that_are_elsewhere(root, tmp_path, monkeypatch):
    monkeypatch.delenv("nnUNet_preprocessed")
    assert main(["export", "-d", "801", "-o", str(tmp_path / "m.zip")]) == 0
    assert "| Dataset801_CTS | CT | 0 | not known where the model was exported |" in read_card(tmp_path / "m.zip")


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


def test_a_network_that_is_not_plain(root):
    predictor = load_model(root / "results" / CT / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    predictor.network = predictor.network.correspondence
    with pytest.raises(UserError, match="the network of MASSTrainer is no PlainConvUNet with a segmentation head"):
        plain_checkpoint(predictor, "3d_fullres", 0)


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


def test_the_card_takes_the_number_of_labels_of_another_tool_from_the_checkpoint(tmp_path):
    file = tmp_path / "checkpoint_final.pth"
    both = {"Dataset801": {"outside": {"maps": 3, "digest": "x"}}, "Dataset802": {"plans": {}}}
    for content, count in (({"mass_begun": both}, 3), ({}, 0)):
        torch.save(content, file)
        assert outside_count(file) == count
