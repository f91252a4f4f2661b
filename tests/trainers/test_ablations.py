"""Each ablation differs from MASSTrainer in what its name says, and trains what is left."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mass_nnunet import trainers
from mass_nnunet.batch import Scans
from mass_nnunet.hyperparameters import INFERENCES, INFERENCES_WITHOUT_ATLASES, complete
from mass_nnunet.training import augmentation as appearance
from method_checks import stepped
from tiny_group import trainer

SUPERVISED = ("DualStreamTrainer", "DualStreamTrainerOrganContrast")
"""Those that learn from labels alone."""

pytestmark = pytest.mark.usefixtures("root")


def one_step(name: str):
    """A trainer after one step late in the training, so that all ramps are up; found as nnUNetv2_train finds it."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    one = trainer(name)
    one.initialize()
    # A head as sure as a trained one, so that there are pseudo-labels.
    with torch.no_grad():
        one.module.unets[0].decoder.seg_layers[-1].weight *= 20
    one.on_train_start()
    one.network.train()
    one.current_epoch = one.num_epochs
    batch = next(one.dataloader_train)
    torch.manual_seed(0)
    return one, stepped(one, batch), batch


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("MASSTrainerNoSC", {"semantic"}),
        ("MASSTrainerNoAC", {"anatomical"}),
        ("MASSTrainerNoOrganContrast", {"semantic", "anatomical"}),
    ],
)
def test_removed_terms_have_no_effect_and_the_rest_is_the_same(name, terms):
    whole, result, _ = one_step("MASSTrainerSCAC")
    without, ablated, _ = one_step(name)
    assert without.loss.weights == whole.loss.weights | dict.fromkeys(terms, 0.0)
    assert ablated["atlas"] == pytest.approx(result["atlas"])  # the same step
    removed = sum(whole.loss.weights[term] * result[term] for term in terms)
    assert all(result[term] > 0 and ablated[term] == 0 for term in terms)
    assert float(ablated["loss"]) == pytest.approx(float(result["loss"]) - removed, abs=1e-4)


def test_without_teaching_there_is_no_teacher():
    without, result, _ = one_step("MASSTrainerNoTeaching")
    assert without.teacher is None
    assert result["teaching"] == 0
    assert all(result[term] > 0 for term in ("atlas", "similarity", "smoothness"))


@pytest.mark.parametrize(("name", "kind"), [("MASSTrainerMSE", "mse"), ("MASSTrainerKL", "kl")])
def test_exchanged_anatomical_loss(name, kind):
    whole, result, _ = one_step("MASSTrainerSCAC")
    other, exchanged, _ = one_step(name)
    assert other.hyperparameters == replace(whole.hyperparameters, feature_comparison=kind)
    assert exchanged["anatomical"] != pytest.approx(result["anatomical"])
    assert exchanged["supervised"] == pytest.approx(result["supervised"])


@pytest.mark.parametrize(("name", "taught"), [("MASSTrainerNoAtlas", True), *((name, False) for name in SUPERVISED)])
def test_without_the_atlas_branch_the_heads_learn_alone(name, taught):
    one, result, batch = one_step(name)
    assert not any("correspondence" in parameter for parameter, _ in one.module.named_parameters())
    assert (result["teaching"] > 0) == taught
    assert all(result[term] == 0 for term in ("atlas", "similarity", "smoothness", "semantic", "anatomical", "folding"))
    assert len(batch["keys"]) == (6 if taught else 4)
    for part in (one.module.unets[0].encoder, one.module.unets[1].encoder, one.module.unets[0].decoder.stages):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("MASSTrainer", True),
        ("DualStreamTrainerOrganContrast", True),
        ("DualStreamTrainer", False),
        ("MASSTrainerNoOrganContrast", False),
        ("MASSReleaseTrainer", False),
    ],
)
def test_annotated_mri_gets_random_organ_contrast(name, changed, monkeypatch):
    monkeypatch.setattr(appearance, "SHARE", 1.0)
    mass = trainer(name)
    mass.on_train_start()
    mass.network.train()
    mass.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].images.clone()))
    seen, batch = [], next(mass.dataloader_train)
    data = batch["data"].clone()
    mass.train_step(batch)
    _, of_mri = mass.layout.annotated(batch["target"][0])
    near = F.max_pool3d((of_mri > 0).float(), (1, 3, 3), 1, (0, 1, 1)) > 0
    ct, mri = mass.layout.annotated(seen[0] - data)
    assert not ct.any()
    assert near.any()
    assert bool(mri[near].any()) == changed
    assert not mri[~near].any()


@pytest.mark.parametrize("shared", [False, True])
def test_the_encoder_is_shared_if_asked_for(shared, monkeypatch):
    monkeypatch.setattr(trainers.MASSTrainer, "CHANGES", {"shared_encoder": shared})
    one = trainer("MASSTrainer")
    one.initialize()
    first, second = (unet.encoder.stages[0][0].convs[0] for unet in one.module.unets)
    assert (first.conv.weight is second.conv.weight) == shared
    assert first.norm.weight is not second.norm.weight
    heads, others = (unet.decoder.seg_layers[0] for unet in one.module.unets)
    assert heads.weight is others.weight


@pytest.mark.parametrize(("named", "taken"), [("fused", "segmentation"), ("adapted", "adapted")])
def test_without_the_atlas_branch_the_head_predicts_alone_or_with_intensity_adaptation(named, taken):
    one = trainer("DualStreamTrainer")
    one.plans_manager.plans["mass"]["inference"] = named
    one.initialize()
    assert one.module.inference == taken
    assert one.module.intensity_weight == complete().intensity_weight > 0


def test_a_training_without_the_atlas_branch_ends_with_two_models(root):
    one = trainer("DualStreamTrainer")
    one.num_epochs = 1
    one.run_training()
    one.perform_actual_validation()
    for dataset in ("Dataset801_CTS", "Dataset802_MRS"):
        folder = root / "results" / dataset / "DualStreamTrainer__MASSPlans__3d_fullres" / "fold_0"
        assert (folder / "checkpoint_final.pth").is_file()
        assert (folder / "validation" / "summary.json").is_file()
        assert not (folder / "mass_registration.png").exists()


def test_trainers_predict_by_what_their_hyperparameters_leave():
    for name in trainers.__all__:
        cls = getattr(trainers, name)
        if issubclass(cls, trainers.MASSTrainer):
            if name == "MASSReleaseTrainer":
                assert cls.inferences == ()
            else:
                has_atlases = complete(cls.CHANGES).correspondence_channels > 0
                assert cls.inferences == (INFERENCES if has_atlases else INFERENCES_WITHOUT_ATLASES)


@pytest.mark.parametrize("suffix", ["SCAC", "NoSC", "NoAC", "MSE", "KL"])
def test_consistencies_reach_the_shared_decoder(suffix):
    """Without the gradient that comes with them they would change nothing that predicts."""
    one = trainer(f"MASSTrainer{suffix}")
    one.initialize()
    one.network.train()
    scans = torch.randn(one.layout.scans, 1, *one.configuration_manager.patch_size)
    one.network(Scans(scans, one.layout)).fields.sum().backward()
    assert next(one.module.unets[0].decoder.stages.parameters()).grad.any()
