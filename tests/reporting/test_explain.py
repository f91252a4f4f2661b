"""The predictions and the registration of a trained model are those of the model."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from mass_nnunet.api.loading import load_model
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.reporting.explain import explain
from tiny_group import CT, MODEL, MRI, trainer
from trap import Trap


def test_what_is_shown_is_what_the_model_predicts(root):
    raw = root / "raw" / MRI
    predictor = load_model(root / "results" / MRI / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    found = explain(predictor, [raw / "imagesTs/mrtest_0000.nii.gz"], raw / "labelsTs/mrtest.nii.gz")
    assert tuple(found.predictions) == INFERENCES
    assert all(labels.shape == found.image.shape == found.truth.shape for labels in found.predictions.values())
    assert set(np.unique(found.truth)) == {0, 1, 2, 3, 4}
    registration = found.registration
    patch = tuple(predictor.configuration_manager.patch_size)
    assert registration.field.shape == (3, *patch)
    assert registration.warped_labels.shape == (5, *patch)
    np.testing.assert_allclose(registration.warped_labels.sum(0), 1, atol=1e-4)
    # Each branch by itself is what nnU-Net's predictor gives with that inference in the plans.
    data = torch.from_numpy(found.image[None]).float()
    predictor.network.inference = "fused"
    again = predictor.predict_sliding_window_return_logits(data).float().argmax(0).numpy()
    assert np.array_equal(again, found.predictions["fused"])


@pytest.mark.parametrize(
    ("name", "branches", "is_registered"),
    [
        ("MASSTrainerNoAtlas", ("segmentation", "adapted"), False),
        ("SupervisedTrainer", ("segmentation",), False),
        ("MASSReleaseTrainer", ("atlas",), True),
        ("VoxelMorphTrainer", ("atlas",), True),
    ],
)
def test_other_models_show_what_they_predict_by(root, name, branches, is_registered):
    raw, folder = root / "raw" / CT, root / "results" / CT / f"{name}__MASSPlans__3d_fullres"
    model = trainer(name)
    model.initialize()
    model.on_train_start()
    model.current_epoch = model.num_epochs - 1
    model.on_train_end()
    predictor = load_model(folder, 0, "checkpoint_final.pth", torch.device("cpu"))
    found = explain(predictor, [raw / "imagesTs/cttest_0000.nii.gz"], None)
    assert tuple(found.predictions) == branches
    assert (found.registration is not None) == is_registered


def test_a_model_is_shown_where_networks_are_compiled(root, monkeypatch):
    monkeypatch.setenv("nnUNet_compile", "t")
    predictor = load_model(root / "results" / MRI / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    assert isinstance(predictor.network, MASSNet)


def test_scan_and_labels_are_checked(root, tmp_path):
    raw = root / "raw" / MRI
    predictor = load_model(root / "results" / MRI / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
    image, label = raw / "imagesTs/mrtest_0000.nii.gz", tmp_path / "label.nii.gz"
    values = sitk.ReadImage(str(raw / "labelsTs/mrtest.nii.gz"))
    values[0, 0, 0] = 9
    sitk.WriteImage(values, str(label))
    with pytest.raises(UserError, match=r"label.nii.gz has value 9, which dataset.json does not name"):
        explain(predictor, [image], label)
    (tmp_path / "scan.nii.gz").write_bytes(image.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"scan.nii.gz cannot be read"):
        explain(predictor, [tmp_path / "scan.nii.gz"], None)


def test_a_checkpoint_that_would_run_code_is_not_read(root, tmp_path):
    folder = tmp_path / MODEL / "fold_0"
    folder.mkdir(parents=True)
    torch.save({"network_weights": Trap(tmp_path / "sprung")}, folder / "checkpoint_final.pth")
    with pytest.raises(UserError, match=r"checkpoint_final.pth holds .*, not only weights and numbers"):
        load_model(folder.parent, 0, "checkpoint_final.pth", torch.device("cpu"))
    assert not (tmp_path / "sprung").exists()
