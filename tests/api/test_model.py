"""A model in memory gives the numbers of nnUNetv2_predict, by every branch, and writes nothing."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from mass_nnunet.api import Model, disagreement, entropy
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.runtime.env import HOOK_FOLDER
from tiny_group import CT, MODEL, trainer


def predicted_by_nnunet(folder, file, output, monkeypatch):
    """Label map file and probabilities that nnU-Net's own prediction of a file writes."""
    monkeypatch.setenv("nnUNet_extTrainer", str(HOOK_FOLDER))
    predictor = nnUNetPredictor(device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), (0,))
    predictor.predict_from_files_sequential([[str(file)]], [str(output)], save_probabilities=True)
    return sitk.ReadImage(f"{output}.nii.gz"), np.load(f"{output}.npz")["probabilities"]


def test_an_image_gets_the_labels_that_nnunet_writes(model, scan_file, tmp_path, monkeypatch):
    image = sitk.DICOMOrient(sitk.ReadImage(str(scan_file)), "PIR")
    file = tmp_path / "scan_0000.nii.gz"
    sitk.WriteImage(image, str(file))
    folder = scan_file.parents[3] / "results" / "Dataset802_MRS" / MODEL
    labels, probabilities = predicted_by_nnunet(folder, file, tmp_path / "out", monkeypatch)
    found = model.segment(image)
    assert found.branch == model.branch
    assert np.array_equal(sitk.GetArrayFromImage(found.image), sitk.GetArrayFromImage(labels))
    for what in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found.image, what)(), getattr(labels, what)(), atol=1e-5)
    # nnU-Net writes probabilities in the orientation of its reader, in which the prediction has them.
    np.testing.assert_array_equal(found.probabilities, probabilities)
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-5)


def test_an_array_gets_the_labels_of_the_image(model, scan_file):
    image = sitk.DICOMOrient(sitk.ReadImage(str(scan_file)), "RAS")
    array, spacing = sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]
    found = model.segment(array, spacing)
    assert np.array_equal(found.labels, model.segment(image).labels)
    assert found.labels.shape == array.shape
    assert (
        found.names == model.labels == {0: "background", 1: "spleen", 2: "right_kidney", 3: "left_kidney", 4: "liver"}
    )
    with pytest.raises(UserError, match="no place in space"):
        _ = found.image


@pytest.mark.parametrize(
    ("name", "branches"),
    [
        ("nnUNetTrainer", ("segmentation",)),
        ("SupervisedTrainer", ("segmentation",)),
        ("MASSTrainerNoAtlas", ("segmentation", "adapted")),
        ("MASSReleaseTrainer", ("atlas",)),
        ("DTCTrainer", ("segmentation", "adapted")),
    ],
)
def test_models_of_other_trainers(root, tmp_path, monkeypatch, name, branches):
    other = trainer(name)
    other.initialize()
    other.on_train_start()
    other.current_epoch = other.num_epochs - 1
    other.on_train_end()
    folder = root / "results" / CT / f"{name}__MASSPlans__3d_fullres"
    file = root / "raw" / CT / "imagesTs" / "cttest_0000.nii.gz"
    labels, _ = predicted_by_nnunet(folder, file, tmp_path / "out", monkeypatch)
    loaded = Model.load(str(folder), device="cpu")
    assert loaded.branches == branches
    found = loaded.segment_by_branches(sitk.ReadImage(str(file)))
    assert tuple(found) == branches
    assert np.array_equal(sitk.GetArrayFromImage(found[loaded.branch].image), sitk.GetArrayFromImage(labels))
    assert loaded.has_atlases == (name == "MASSReleaseTrainer")


def test_each_branch_is_what_the_plans_would_make_nnunet_predict(model, scan_file):
    found = model.segment_by_branches(sitk.ReadImage(str(scan_file)))
    assert tuple(found) == model.branches == INFERENCES
    for branch, prediction in found.items():
        before = model.predictor.network.inference
        model.predictor.network.inference = branch
        array = sitk.GetArrayFromImage(prediction.scan.turned)[None]
        properties = {"spacing": list(prediction.scan.spacing)}
        labels = model.predictor.predict_single_npy_array(array, properties)
        model.predictor.network.inference = before
        assert np.array_equal(labels, prediction.labels), branch
    assert not np.array_equal(found["segmentation"].probabilities, found["atlas"].probabilities)


def test_several_folds_are_averaged(root, scan_file):
    for fold in (0, 1):
        mass = trainer("SupervisedTrainer", "802", fold)
        mass.initialize()
        mass.on_train_start()
        mass.current_epoch = mass.num_epochs - 1
        mass.on_train_end()
    folder = root / "results" / "Dataset802_MRS" / "SupervisedTrainer__MASSPlans__3d_fullres"
    image = sitk.ReadImage(str(scan_file))
    one, two, both = (Model.load(folder, folds, device="cpu") for folds in (0, [1], (0, 1)))
    assert len(both.predictor.list_of_parameters) == 2
    first, second, mean = (m.segment(image).probabilities for m in (one, two, both))
    assert not np.array_equal(first, second)
    assert (np.minimum(first, second) - 1e-3 <= mean).all()


def test_the_uncertainty_is_that_of_the_probabilities(model, scan_file):
    image = sitk.ReadImage(str(scan_file))
    found = model.uncertainty(image)
    assert found.entropy.shape == found.disagreement.shape == found.probabilities.shape[1:]
    assert found.spacing == model.spacing
    assert found.entropy.min() >= 0 and found.entropy.max() <= 1.001
    assert found.disagreement.max() > 0
    assert found.scan_entropy > 0 and found.scan_disagreement > 0
    assert found.expected_dice.shape == (4,)
    head = model.uncertainty(image, branches=["segmentation"])
    assert not head.disagreement.any()
    np.testing.assert_array_equal(head.entropy, entropy(head.probabilities))
    other = model.uncertainty(image, branches=["atlas"])
    both = model.uncertainty(image, branches=["segmentation", "atlas"])
    np.testing.assert_array_equal(both.disagreement, disagreement([head.probabilities, other.probabilities]))


def test_the_field_is_in_voxels_and_in_mm(model, scan_file):
    found = model.register(sitk.ReadImage(str(scan_file)))
    assert found.displacement_voxels.shape == (3, *model.predictor.configuration_manager.patch_size)
    for axis in range(3):
        expected = found.displacement_voxels[axis] * model.spacing[axis]
        np.testing.assert_allclose(found.displacement_mm[axis], expected, rtol=1e-5)
    np.testing.assert_allclose(found.registration.warped_labels.sum(0), 1, atol=1e-4)


def test_nothing_is_written_and_no_setting_is_left_behind(trained, scan_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("nnUNet_compile", raising=False)
    before, files = dict(os.environ), sorted(trained.rglob("*"))
    loaded = Model.load(trained / "results" / CT / MODEL, device="cpu")
    loaded.segment_by_branches(sitk.ReadImage(str(scan_file)))
    assert dict(os.environ) == before
    assert sorted(trained.rglob("*")) == files
    assert not list(tmp_path.iterdir())


def test_wrong_requests_are_one_line(model, scan_file, trained, tmp_path):
    image = sitk.ReadImage(str(scan_file))
    with pytest.raises(UserError, match="does not predict by 'heart': choose from segmentation, adapted, atlas, fused"):
        model.segment(image, branch="heart")
    with pytest.raises(UserError, match=r"fold_3/checkpoint_final.pth does not exist"):
        Model.load(trained / "results" / CT / MODEL, 3, device="cpu")
    plain = Model(model.predictor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.predictor.network, "atlases", None)
        assert not plain.has_atlases
        with pytest.raises(UserError, match="MASSTrainer has no atlases to register"):
            plain.register(image)


def test_regions_have_names_and_no_uncertainty(model, scan_file, monkeypatch):
    regions = {"background": 0, "whole": [1, 2], "core": [2]}
    content = {**model.predictor.dataset_json, "labels": regions, "regions_class_order": [1, 2]}
    monkeypatch.setattr(model.predictor, "dataset_json", content)
    monkeypatch.setattr(
        model.predictor, "label_manager", model.predictor.plans_manager.get_label_manager(content), raising=True
    )
    assert model.labels == {0: "background", 1: "1", 2: "core"}
    with pytest.raises(UserError, match="labels are regions"):
        model.uncertainty(sitk.ReadImage(str(scan_file)))


def test_2d_configurations_are_refused(model, trained, monkeypatch):
    flat = {**model.predictor.configuration_manager.configuration, "patch_size": [16, 16]}
    manager = type(model.predictor.configuration_manager)(flat)
    monkeypatch.setattr(
        nnUNetPredictor, "configuration_manager", property(lambda _: manager, lambda *_: None), raising=False
    )
    with pytest.raises(UserError, match="2D or a cascaded configuration"):
        Model.load(trained / "results" / CT / MODEL, device="cpu")
