"""MASSReleaseTrainer: which of its terms are dead, and that the others train."""

import numpy as np
import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from annotated import is_annotated, pairs
from mass_nnunet.batch import Layout
from mass_nnunet.hyperparameters import complete
from mass_nnunet.networks.blocks import cpu_autocast
from mass_nnunet.objectives.mass import TERMS
from mass_nnunet.registration.fields import upsample, warp
from mass_nnunet.trainers.mass_release_trainer import ReleaseObjective, through_the_wrong_encoder
from small_network import CLASSES, batch, network, objective, step_labels
from tiny_group import CT, MRI, trainer

LAYOUT = Layout(2, 2, 1)
WEIGHTS = complete().as_plans()["weights"]
OFF = dict.fromkeys(WEIGHTS, 0.0)


def trained_step(release: bool, **weights: float):
    """A network after the backward pass of an objective with these weights only, and the objective."""
    torch.manual_seed(0)
    net = network(LAYOUT, correspondence_gradient=1.0).train()
    net.active = (0, 1)
    net.register_forward_hook(through_the_wrong_encoder)
    loss = objective(weights=OFF | weights)
    if release:
        loss = ReleaseObjective(loss.supervised, CLASSES, complete({"weights": OFF | weights}))
    scans, labels = batch(LAYOUT)
    output = net(scans)
    loss(output, step_labels(labels, LAYOUT)).backward()
    return net, loss, output, (scans, labels)


def trained_parts(net: torch.nn.Module) -> set[str]:
    parts = {
        "encoder 0": net.unets[0].encoder,
        "encoder 1": net.unets[1].encoder,
        "decoder": net.unets[0].decoder.stages,
        "head": net.unets[0].decoder.seg_layers,
        "correspondence": net.correspondence,
    }
    return {name for name, part in parts.items() if any(p.grad is not None and p.grad.any() for p in part.parameters())}


@pytest.mark.parametrize("term", ["atlas", "semantic"])
def test_terms_of_labels_have_a_value_and_no_gradient(term):
    net, loss, _, _ = trained_step(True, **{term: 1.0})
    assert 0 < float(loss.terms[term]) < 1
    assert trained_parts(net) == set()
    living, _, _, _ = trained_step(False, **{term: 1.0})
    assert "correspondence" in trained_parts(living)


@pytest.mark.parametrize("term", ["similarity", "smoothness", "anatomical"])
def test_the_other_terms_train_all_but_the_heads(term):
    net, _, _, _ = trained_step(True, **{term: 1.0})
    assert trained_parts(net) == {"encoder 0", "encoder 1", "decoder", "correspondence"}


def test_no_label_changes_the_gradient():
    weights = {name: weight for name, weight in WEIGHTS.items() if name != "teaching"}
    net, loss, _, (scans, labels) = trained_step(True, **weights)
    expected = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    net.zero_grad()
    loss(net(scans), step_labels([(level + 1) % CLASSES for level in labels], LAYOUT)).backward()
    for gradient, p in zip(expected, (p for p in net.parameters() if p.grad is not None), strict=True):
        torch.testing.assert_close(p.grad, gradient)


def test_every_parameter_has_a_gradient_even_if_it_is_nothing():
    """DDP needs it; nnU-Net itself leaves out the coarsest head."""
    net, _, _, _ = trained_step(True, similarity=1.0, anatomical=1.0)
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_dice_is_that_of_warped_and_rounded_integers():
    _, loss, output, (_, labels) = trained_step(True)
    target, same, other = pairs(LAYOUT)
    fields = upsample(output.fields.detach(), labels[0].shape[2:]).chunk(2)
    one, two = (warp(labels[0][a].float(), f).round().numpy()[:, 0] for a, f in zip((same, other), fields, strict=True))

    def dice(a: np.ndarray, b: np.ndarray) -> float:
        pairs = [(x == k, y == k) for x, y in zip(a, b, strict=True) for k in range(1, CLASSES)]
        return float(np.mean([2 * (x & y).sum() / (x.sum() + y.sum()) for x, y in pairs]))

    assert float(loss.terms["semantic"]) == pytest.approx(1 - dice(one, two), abs=1e-4)
    labelled = is_annotated(LAYOUT)[target].numpy()
    truth = labels[0][target].numpy()[labelled, 0]
    expected = 1 - (dice(one[labelled], truth) + dice(two[labelled], truth)) / 2
    assert float(loss.terms["atlas"]) == pytest.approx(expected, abs=1e-4)


def test_the_warped_atlas_goes_through_the_encoder_of_the_target():
    net, _, output, (scans, _) = trained_step(True)
    target, _, other = pairs(LAYOUT)
    images = scans.images
    warped = warp(images[other], upsample(output.fields[len(target) :], images.shape[2:]))
    for modality, at in ((0, slice(0, 2)), (1, slice(2, 4))):
        net.active = (modality,)
        with torch.no_grad(), cpu_autocast(images.device):
            features = net.correspondence.project(net.decode(warped[at])[:-1])[-1]
        torch.testing.assert_close(output.warped_features[at].float(), features.float(), atol=0.05, rtol=0.05)


def test_trains_two_models_that_predict_by_their_atlases(root):
    trainer("MASSReleaseTrainer").run_training()
    for dataset, modality in ((CT, 0), (MRI, 1)):
        folder = root / "results" / dataset / "MASSReleaseTrainer__MASSPlans__3d_fullres"
        checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=False)
        assert all(len(checkpoint["logging"]["mass_" + term]) == 2 for term in TERMS)
        predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False, perform_everything_on_device=False)
        predictor.initialize_from_trained_model_folder(str(folder), (0,), "checkpoint_final.pth")
        predictor.network.load_state_dict(predictor.list_of_parameters[0], strict=True)
        assert predictor.network.inference == "atlas"
        assert predictor.network.active == (modality,)
        with torch.no_grad():
            logits = predictor.predict_sliding_window_return_logits(torch.randn(1, 8, 16, 16))
        assert logits.shape == (5, 8, 16, 16)
