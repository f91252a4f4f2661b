"""VoxelMorphTrainer and LTNetTrainer: what they read, what they write, and that nnU-Net predicts with them."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet.networks.pair import PairOutput
from method_checks import stepped, trained
from tiny_group import CT, MRI, entry, trainer

METHODS = {
    "VoxelMorphTrainer": ("similarity", "smoothness", "dice"),
    "LTNetTrainer": ("similarity", "smoothness", "dice", "image_cycle", "anatomy_cycle"),
}


def wild(one: nnUNetTrainer) -> None:
    """Fields as large as those of a trained network, so that every part has a gradient worth the name."""
    for pair in filter(None, (one.module.pair, one.module.backward_pair)):
        torch.nn.init.normal_(pair.decoder.seg_layers[0].weight, std=0.1)


@pytest.mark.parametrize(("name", "terms"), METHODS.items())
def test_one_step_trains_every_part(root, name, terms):
    one = trainer(name)
    one.initialize()
    wild(one)
    one.network.train()
    outputs = []
    one.network.register_forward_hook(lambda _, __, output: outputs.append(output))
    result = stepped(one, next(one.get_dataloaders()[0]))
    assert len(outputs) == 1  # DDP needs one forward pass a step
    assert isinstance(outputs[0], PairOutput)
    assert set(result) == {"loss", "folding", *terms}
    assert all(result[term] > 0 for term in terms)
    assert 0 <= result["folding"] <= 1
    assert result["loss"] == pytest.approx(sum(one.WEIGHTS[term] * result[term] for term in terms), rel=1e-4)
    assert all(p.grad is not None for p in one.network.parameters())
    for part in filter(None, (one.module.pair, one.module.backward_pair)):
        for stage in (part.encoder.stages[0], part.decoder.stages, part.decoder.seg_layers):
            assert any(p.grad.abs().sum() > 0 for p in stage.parameters())


@pytest.mark.parametrize("similarity", ["lncc", "mse", "nmi", "mind"])
def test_the_similarity_is_a_hyperparameter(root, similarity):
    one = trainer("VoxelMorphTrainer")
    one.hyperparameters = replace(one.hyperparameters, similarity_measure=similarity)
    one.initialize()
    wild(one)
    one.network.train()
    result = stepped(one, next(one.get_dataloaders()[0]))
    assert result["similarity"] > 0
    assert any(p.grad.abs().sum() > 0 for p in one.module.pair.encoder.parameters())


@pytest.mark.parametrize(("name", "terms"), METHODS.items())
def test_trains_its_own_dataset_alone_and_stock_nnunet_predicts_with_it(root, name, terms):
    one = trained(name, "802", epochs=2)
    one.perform_actual_validation()
    assert not (root / "results" / CT).exists()
    folder = root / "results" / MRI / f"{name}__MASSPlans__3d_fullres"
    written = {path.name for path in (folder / "fold_0").iterdir()}
    assert {"checkpoint_final.pth", "progress.png", "mass_terms.png", "mass_registration.png"} <= written
    assert (folder / "fold_0" / "validation" / "summary.json").is_file()
    checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=False)
    assert all(len(checkpoint["logging"]["mass_" + term]) == 2 for term in (*terms, "folding"))
    assert checkpoint["inference_allowed_mirroring_axes"] is None

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False, perform_everything_on_device=False)
    predictor.initialize_from_trained_model_folder(str(folder), (0,), "checkpoint_final.pth")
    predictor.network.load_state_dict(predictor.list_of_parameters[0], strict=True)
    assert predictor.network.atlases.count.tolist() == [1]
    with torch.no_grad():
        scan = torch.randn(1, 8, 16, 16)
        logits = predictor.predict_sliding_window_return_logits(scan)
        expected = predictor.network(scan[None])[0]
        larger = predictor.predict_sliding_window_return_logits(torch.randn(1, 10, 20, 20))
    # nnU-Net keeps logits in half precision.
    torch.testing.assert_close(logits.float().softmax(0), expected.softmax(0), atol=0.02, rtol=0)
    assert larger.shape == (5, 10, 20, 20)


def test_a_labelled_case_does_change_something(root):
    """What is annotated is read; integration/test_every_trainer.py tests that what is hidden is not."""
    expected = trained("LTNetTrainer", epochs=2).module.state_dict()
    (case,) = entry(root, CT)["train"]
    folder = root / "preprocessed" / CT / "MASSPlans_3d_fullres"
    shutil.copy(folder / f"{entry(root, CT)['unlabelled'][0]}_seg.b2nd", folder / f"{case}_seg.b2nd")
    shutil.rmtree(root / "results")
    changed = trained("LTNetTrainer", epochs=2).module.state_dict()
    assert any(not torch.equal(changed[key], expected[key]) for key in expected)


def test_schedule_optimizer_and_augmentation_are_those_of_mass_and_the_rate_that_of_its_correspondence(root):
    mass, one = trainer("MASSTrainer"), trainer("VoxelMorphTrainer")
    for each in (mass, one):
        each.initialize()
    assert (one.num_epochs, one.num_iterations_per_epoch) == (mass.num_epochs, mass.num_iterations_per_epoch)
    assert type(one.optimizer) is type(mass.optimizer)
    assert type(one.lr_scheduler) is type(mass.lr_scheduler)
    for each in (mass, one):
        each.lr_scheduler.step(0)
    assert [group["lr"] for group in one.optimizer.param_groups] == [mass.optimizer.param_groups[1]["lr"]]
    assert {id(p) for p in one.optimizer.param_groups[0]["params"]} == {id(p) for p in one.network.parameters()}
    assert one.do_split() == mass.do_split()
    rotations = [each.configure_rotation_dummyDA_mirroring_and_inital_patch_size()[0] for each in (mass, one)]
    assert rotations[0] == rotations[1]
    fold = entry(root, CT)
    keys = {key for _ in range(20) for key in next(one.get_dataloaders()[0])["keys"]}
    assert keys <= {*fold["train"], *fold["unlabelled"]}
    assert json.loads((root / "preprocessed" / CT / "MASSPlans.json").read_text())["mass"]["modality"] == "CT"
