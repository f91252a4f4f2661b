"""nnU-Net's regions through split, plan, training, validation, prediction and scores; hidden labels stay hidden."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import predict_entry_point, predict_entry_point_modelfolder
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from forked_command import QUICK, forked_command
from mass_nnunet.api import Model
from mass_nnunet.api.loading import branches_of, load_model, predicting_by
from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import INFERENCES
from method_checks import PATCH, change_annotated, damage_hidden, exported, model_folder
from method_checks import trained as run
from refused_training import refused
from region_group import CLASSES, REGIONS, WITH_REGIONS, give_regions, region_group
from scarce_group import MODELS
from tiny_group import CONFIGURATION, CT, MRI, command, copied, trainer, use_folders

VALUES = [value if isinstance(value, list) else [value] for value in REGIONS.values()]


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    root = tmp_path_factory.mktemp("regions")
    region_group(root)
    return root


@pytest.fixture
def root(group, tmp_path, monkeypatch):
    """A copy of the planned group, as nnU-Net's folders."""
    return copied(group, tmp_path / "group", monkeypatch)


@pytest.fixture(scope="module")
def model(group, tmp_path_factory):
    """The group with a model of MASSTrainer, validated."""
    with pytest.MonkeyPatch.context() as patch:
        root = copied(group, tmp_path_factory.mktemp("trained") / "group", patch)
        one = run("MASSTrainer")
        one.perform_actual_validation()
        assert not one.module.yields_regions and one.label_manager.label_dict == CLASSES
    return root


def test_plans_have_the_regions_and_training_has_the_classes(root):
    plans = read_json(root / "preprocessed" / CT / "MASSPlans.json", "")
    assert plans["mass"]["regions"] == VALUES
    ours, stock = trainer("MASSTrainer"), trainer("SupervisedTrainer")
    assert ours.label_manager.label_dict == CLASSES and not ours.label_manager.has_regions
    assert stock.label_manager.has_regions and stock.label_manager.num_segmentation_heads == len(REGIONS)
    assert ours.possible.classes == ours.classes == len(CLASSES)


def check_prediction(folder: Path) -> None:
    """Each inference of a model: nnU-Net's sigmoid is the sum of the probabilities of the classes of a region."""
    predictor = load_model(folder, 0, "checkpoint_final.pth", torch.device("cpu"))
    network, scan = predictor.network.eval(), torch.randn(1, 1, *PATCH)
    for inference in branches_of(network):
        with predicting_by(network, inference), torch.no_grad():
            network.yields_regions = True
            found = network(scan)
            network.yields_regions = False
            probabilities = network(scan).softmax(1)
        assert probabilities.shape == (1, len(CLASSES), *PATCH)
        expected = torch.stack([probabilities[:, values].sum(1) for values in VALUES], 1)
        torch.testing.assert_close(found.sigmoid(), expected)


@pytest.mark.parametrize("name", ["DualStreamTrainer", "DTCTrainer", "CPSTrainer", "VoxelMorphTrainer"])
def test_a_method_trains_classes_and_predicts_regions(root, name):
    one = run(name, "802")
    assert len(one.logger.get_checkpoint()["dice_per_class_or_region"][0]) == len(CLASSES) - 1
    check_prediction(model_folder(root, MRI, name))


def test_stock_nnunet_trains_regions_as_it_does(root):
    one = run("SupervisedTrainer", "802")
    assert len(one.logger.get_checkpoint()["dice_per_class_or_region"][0]) == len(REGIONS)
    assert type(one.loss.loss).__name__ == "DC_and_BCE_loss"
    assert not hasattr(one.module, "regions")


def test_a_model_of_masstrainer(model, tmp_path, monkeypatch, capsys):
    """All inferences, then nnU-Net's command, ``evaluate``, ``visualize`` and the Python interface."""
    use_folders(monkeypatch, model)
    folder = model_folder(model, MRI, "MASSTrainer")
    means = read_json(folder / "fold_0" / "validation" / "summary.json", "")["mean"]
    assert set(means) == {str(tuple(value) if isinstance(value, list) else value) for value in REGIONS.values()}
    assert branches_of(load_model(folder, 0, "checkpoint_final.pth", "cpu").network) == INFERENCES
    check_prediction(folder)

    scans, truth, out = model / "raw" / MRI / "imagesTs", model / "raw" / MRI / "labelsTs", tmp_path / "out"
    words = ("-d", "802", "-i", str(scans), "-o", str(out), "--save_probabilities", *MODELS, *QUICK)
    forked_command(model, predict_entry_point, *words)
    prediction = sitk.ReadImage(str(out / "mrtest.nii.gz"))
    values = sitk.GetArrayFromImage(sitk.DICOMOrient(prediction, "RAS"))  # as nnU-Net has the probabilities
    probabilities = np.load(out / "mrtest.npz")["probabilities"]
    assert probabilities.shape == (len(REGIONS), *values.shape)
    manager = LabelManager(WITH_REGIONS["labels"], WITH_REGIONS["regions_class_order"])
    assert np.array_equal(manager.convert_probabilities_to_segmentation(probabilities), values)
    assert main(["evaluate", str(out), str(truth), "--csv", str(tmp_path / "scores.csv")]) == 0
    assert pd.read_csv(tmp_path / "scores.csv")["organ"].tolist() == list(REGIONS)

    page = tmp_path / "page.html"
    assert main(["visualize", "mrtest", "-d", "802", "-o", str(page), "-device", "cpu"]) == 0
    its = Model.load(folder, device="cpu")
    image = sitk.ReadImage(str(scans / "mrtest_0000.nii.gz"))
    found = its.segment(image)
    assert np.array_equal(found.labels, values)
    assert found.names == {value: name for name, value in CLASSES.items()}
    assert set(np.unique(its.register(image).registration.target_labels)) <= set(CLASSES.values())


@pytest.mark.parametrize(
    ("regions", "line"),
    [
        (
            [[1, 2, 3, 4], 4],
            "plans.json has mass.regions [[1, 2, 3, 4], 4], which is of another form: get the model as",
        ),
        ([[1, 2, 3], [2]], "plans.json has 2 regions in mass.regions, and the dataset.json beside it 5: get the model"),
    ],
)
def test_damaged_regions_of_a_stranger_end_a_prediction_in_one_line(model, tmp_path, monkeypatch, regions, line):
    use_folders(monkeypatch, model)
    folder = tmp_path / "model"
    shutil.copytree(model_folder(model, MRI, "MASSTrainer"), folder)
    plans = read_json(folder / "plans.json", "")
    write_json(folder / "plans.json", plans | {"mass": plans["mass"] | {"regions": regions}})
    words = ("-i", str(model / "raw" / MRI / "imagesTs"), "-o", str(tmp_path / "out"), "-m", str(folder), "-f", "0")
    told = forked_command(model, predict_entry_point_modelfolder, *words, "-device", "cpu", status=1)
    assert told.output.splitlines()[-1].startswith(f"error: {line}") and "Traceback" not in told.output
    with pytest.raises(UserError, match="^" + re.escape(f"{folder}: {line}")):
        load_model(folder, 0, "checkpoint_final.pth", "cpu")


def test_export(model, tmp_path, monkeypatch):
    """Stock nnU-Net has classes, of which the most probable one counts; with this package beside it, regions."""
    use_folders(monkeypatch, model)
    card, _ = exported(model, "802", "MASSTrainer")
    assert "predicted by region; this model writes the most probable class of a voxel" in card
    for inference, kind in (("segmentation", "nnUNetTrainer"), ("adapted", "SingleModalityTrainer")):
        results = tmp_path / inference
        file = tmp_path / f"{inference}.zip"
        assert main(["export", "-d", "802", "-o", str(file), "--inference", inference]) == 0
        command(model, "nnUNetv2_install_pretrained_model_from_zip", str(file), nnUNet_results=str(results))
        folder = results / MRI / f"{kind}__MASSPlans__{CONFIGURATION}"
        labels = read_json(folder / "dataset.json", "")["labels"]
        assert labels == (CLASSES if inference == "segmentation" else WITH_REGIONS["labels"])
        scan = torch.randn(1, *PATCH)
        whole = load_model(model_folder(model, MRI, "MASSTrainer"), 0, "checkpoint_final.pth", "cpu")
        whole.network.inference = inference
        alone = load_model(folder, 0, "checkpoint_final.pth", "cpu")
        whole.network.yields_regions = inference == "adapted"
        with torch.no_grad():
            found, expected = (its.network.eval()(scan[None]) for its in (alone, whole))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_hidden_labels_change_nothing_and_others_do(root):
    expected = run("MASSTrainer").module.state_dict()
    shutil.copytree(root / "preprocessed", root / "kept")
    damage_hidden(root)
    for key, value in run("MASSTrainer").module.state_dict().items():
        assert torch.equal(value, expected[key]), key
    shutil.rmtree(root / "results")
    change_annotated(root, CT)
    found = run("MASSTrainer").module.state_dict()
    assert any(not torch.equal(value, expected[key]) for key, value in found.items())


def test_regions_beside_ignored_voxels_and_hidden_slices(root):
    for name in (CT, MRI):
        file = root / "preprocessed" / name / "splits_final.json"
        write_json(file, [fold | {"sparse": 4} for fold in read_json(file, "")])
    for name in ("MASSTrainer", "SupervisedTrainer"):
        one = run(name)
        assert one.label_manager.ignore_label == one.possible.ignored == len(CLASSES)
        assert all(torch.isfinite(weight).all() for weight in one.module.state_dict().values())


def test_a_dataset_with_other_regions_is_refused(root, capsys):
    give_regions(root / "raw" / MRI, regions_class_order=[1, 4, 4, 3, 2])
    assert main(["plan", "-d", "801", "802"]) == 2
    assert f"the regions of {CT} and {MRI} differ: give both the same labels" in capsys.readouterr().err
    assert "dataset.json has other regions_class_order than" in refused(root, "MASSTrainer")
    content = read_json(root / "preprocessed" / MRI / "dataset.json", "")
    labels = {"background": 0, **dict(reversed(REGIONS.items()))}
    for kind in ("raw", "preprocessed"):
        write_json(root / kind / MRI / "dataset.json", content | {"labels": labels})
    assert f"{MRI}/dataset.json has other regions than the plans beside it" in refused(root, "MASSTrainer")


def test_check_and_split_take_regions(root, capsys):
    assert main(["check", "-d", "801", "802", "-np", "1"]) == 0
    assert main(["split", "-d", "801", "802"]) == 0
    assert main(["relabel", "-d", "801", "--ignore-ends", "--to", "811"]) == 2
    assert f"the labels of {CT} are regions: give --map" in capsys.readouterr().err
    assert main(["relabel", "-d", "801", "--map", "kidneys=right_kidney,3", "liver", "--to", "811"]) == 0
    content = read_json(root / "raw" / "Dataset811_CTS-relabelled" / "dataset.json", "")
    assert content["labels"] == {"background": 0, "liver": 1, "kidneys": 2}
    write_json(root / "raw" / CT / "annotated.json", {"ct0": ["liver"]})
    assert main(["split", "-d", "801", "802"]) == 2
    assert "the labels of Dataset801_CTS are regions, for which it is not supported" in capsys.readouterr().err
