import copy

import pytest
import torch
from torch import nn

from annotated import is_annotated
from mass_nnunet.batch import Layout, Scans
from mass_nnunet.losses.similarity import local_correlation_loss
from mass_nnunet.networks.blocks import cpu_autocast
from mass_nnunet.networks.group import share_convolutions, share_decoder
from mass_nnunet.networks.intensity import intensity_evidence
from mass_nnunet.networks.mass import GroupOutput, MASSNet
from mass_nnunet.registration.atlas import EVIDENCE
from mass_nnunet.registration.fields import inside, warp
from small_network import CLASSES, PATCH, batch, network, unet

LAYOUT = Layout(2, 2, 1)


def with_atlases(inference: str, modality: int = 0):
    net = network(LAYOUT, inference, modality, deep_supervision=False)
    torch.manual_seed(1)
    for m in range(2):
        net.atlases.put(m, list(torch.randn(2, 1, *PATCH)), list(torch.randint(0, CLASSES, (2, *PATCH))))
    return net.eval()


class Finds(nn.Module):
    """A head that finds the same in every scan."""

    def __init__(self, probabilities: torch.Tensor) -> None:
        super().__init__()
        self.logits = probabilities.clamp_min(1e-6).log()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(features), -1, -1, -1, -1)


def let_head_find(net: MASSNet, organ: torch.Tensor) -> None:
    """Let the head find class 1 with this probability (Z, Y, X), and background else."""
    net.heads[-1] = Finds(torch.stack([1 - organ, organ, torch.zeros_like(organ)])[None])


def without_residuals(net: MASSNet) -> MASSNet:
    """The same network, with fields that stay as they start."""
    for residual in net.correspondence.residuals:
        nn.init.zeros_(residual.field.weight)
        nn.init.zeros_(residual.field.bias)
    return net


def test_training_registers_and_segments_the_whole_batch():
    net = network(LAYOUT).train()
    net.active = (0, 1)
    scans, _ = batch(LAYOUT)
    output = net(scans)
    assert isinstance(output, GroupOutput)
    assert [tuple(x.shape) for x in output.logits] == [(6, CLASSES, 8, 16, 16), (6, CLASSES, 8, 8, 8)]
    assert output.fields.shape == (8, 3, 8, 8, 8)  # half resolution: the first halving leaves z as it is
    assert output.features.shape == output.warped_features.shape == (4, 4, 8, 8, 8)
    assert output.fields.dtype == output.logits[0].dtype == torch.float32


def test_fields_of_a_training_step_start_from_the_batchs_translations():
    net = without_residuals(network(LAYOUT).train())
    net.active = (0, 1)
    scans, _ = batch(LAYOUT)
    assert not net(scans).fields.any()
    start = torch.arange(24.0).view(8, 3)
    fields = net(scans._replace(start=start)).fields  # the coarsest scale of this network is also the finest
    torch.testing.assert_close(fields, start.view(8, 3, 1, 1, 1).expand_as(fields))


def test_where_registration_is_spared_the_scans_are_segmented():
    layout = Layout(2, 2, 1)
    net = network(layout).train()
    net.active = (0, 1)
    scans, _ = batch(layout)
    everything = net(scans)
    labelled = is_annotated(layout)
    output = net(Scans(scans.images[labelled], Layout(2, 2, 0, registered=False)))
    assert output.fields is output.features is output.warped_features is None
    for alone, among in zip(output.logits, everything.logits, strict=True):
        torch.testing.assert_close(alone, among[labelled])
    assert everything.idle is None
    assert output.idle == 0
    output.idle.backward()
    assert all(p.grad is not None and not p.grad.any() for p in net.correspondence.parameters())


def test_share_of_the_correspondence_gradient_that_reaches_the_encoders():
    gradients = []
    for share in (1.0, 0.25, 0.0):
        torch.manual_seed(0)
        net = network(LAYOUT, correspondence_gradient=share).train()
        net.active = (0, 1)
        net(batch(LAYOUT)[0]).fields.square().sum().backward()
        parts = (next(net.unets[0].encoder.parameters()), net.correspondence.residuals[-1].field.weight)
        gradients.append([None if part.grad is None else part.grad for part in parts])
    (whole, head), (quarter, same), (nothing, still) = gradients
    torch.testing.assert_close(quarter, whole / 4, rtol=0.1, atol=1e-2 * whole.abs().max().item())
    torch.testing.assert_close(same, head)
    torch.testing.assert_close(still, head)
    assert nothing is None


@pytest.mark.parametrize("modality", [0, 1])
def test_segmentation_is_a_plain_unet_of_the_modality(modality):
    net = network(LAYOUT, modality=modality, deep_supervision=False).eval()
    plain = unet(deep_supervision=False)
    plain.load_state_dict(net.unets[modality].state_dict())
    scans = torch.randn(2, 1, *PATCH)
    with torch.no_grad(), cpu_autocast(scans.device):
        expected = plain(scans).float()
    with torch.no_grad():
        torch.testing.assert_close(net(scans), expected)


@pytest.mark.parametrize("share", [share_convolutions, share_decoder])
def test_each_scan_goes_through_its_own_unet(share):
    net = network(LAYOUT, deep_supervision=False, share=share).eval()
    with torch.no_grad():
        for norm in (module for module in net.modules() if isinstance(module, nn.InstanceNorm3d)):
            nn.init.normal_(norm.weight)
    scans = torch.randn(2, 1, *PATCH)
    with torch.no_grad():
        net.active = (0, 1)
        together = net(scans)
        for modality in range(2):
            net.active = (modality,)
            torch.testing.assert_close(net(scans[modality : modality + 1]), together[modality : modality + 1])


@pytest.mark.parametrize("weight", [0.0, 4.0])
def test_inference_by_atlas_says_nothing_beyond_the_borders_of_the_atlases(weight):
    net = with_atlases("atlas")
    net.intensity_weight = weight
    net.correspondence.residuals[-1].field.weight.data *= 1000  # the atlases lie partly beside the scan
    let_head_find(net, torch.ones(PATCH))
    scan = torch.randn(1, 1, *PATCH)
    with torch.no_grad():
        shown = inside(net.register(scan)).any(0)  # (1, Z, Y, X)
        logits = net(scan)[0]
    assert (~shown).any()
    assert torch.equal(logits.any(0, keepdim=True), shown)


def test_inference_by_atlas_returns_multiples_of_probabilities():
    net = with_atlases("atlas")
    net.correspondence.residuals[-1].field.weight.data *= 1000  # the atlases lie partly beside the scan
    let_head_find(net, torch.ones(PATCH))
    scans = torch.randn(3, 1, *PATCH)
    with torch.no_grad():
        logits = net(scans)
        shown = torch.stack([inside(net.register(scan[None]))[:, 0] for scan in scans])  # (3, A', Z, Y, X)
    assert logits.shape == (3, CLASSES, *PATCH)
    assert logits.min() >= 0
    everywhere, nowhere = shown.all(1), ~shown.any(1)
    assert everywhere.any()
    assert nowhere.any()
    assert (logits.sum(1)[everywhere] - EVIDENCE).abs().max() < 1e-3
    assert not logits.sum(1)[nowhere].any()


@pytest.mark.parametrize(("size", "probability", "whole"), [(8, 0.1, False), (8, 0.6, False), (14, 0.9, True)])
def test_evidence_of_the_atlases_is_weighted_by_what_the_head_finds(size, probability, whole):
    net, scan = with_atlases("atlas"), torch.randn(1, 1, *PATCH)
    labels, organ = torch.zeros(2, *PATCH), torch.zeros(PATCH)
    labels[0, 2:6, 4:12, 4:12], labels[1, 2:6, 4:12, 2:10] = 1, 2
    net.atlases.put(0, list(torch.randn(2, 1, *PATCH)), list(labels))
    organ[2:6, :size, :size] = probability
    let_head_find(net, organ)
    with torch.no_grad():
        laid = net.atlases.fuse(0, scan[0], net.register(scan))
        share = float(organ.sum() / laid[1:].sum())
        assert (share > 1) == whole
        torch.testing.assert_close(net(scan)[0], min(1, share) * EVIDENCE * laid, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("inference", ["atlas", "fused"])
def test_where_the_head_finds_no_organ_the_atlases_say_nothing(inference):
    net, scans = with_atlases(inference), torch.randn(2, 1, *PATCH)
    expected = {"atlas": torch.zeros(CLASSES, *PATCH), "fused": None}
    let_head_find(net, torch.zeros(PATCH))
    with torch.no_grad():
        nothing = net(scans)
        expected["fused"] = net.heads[-1](scans)[0]
        for logits in nothing:
            assert torch.equal(logits, expected[inference])
        let_head_find(net, torch.full(PATCH, 0.1))
        assert not torch.equal(net(scans), nothing)


def test_a_head_that_is_not_trained_says_nothing_of_the_atlases():
    net, scan = without_residuals(with_atlases("atlas")), torch.randn(1, 1, *PATCH)
    net.places_atlases = False
    for organ in (torch.zeros(PATCH), torch.full(PATCH, 0.5)):
        let_head_find(net, organ)
        with torch.no_grad():
            assert not net.register(scan).any()
            expected = EVIDENCE * net.atlases.fuse(0, scan[0], torch.zeros(2, 3, *PATCH))
            torch.testing.assert_close(net(scan)[0], expected)


def test_an_atlas_is_laid_on_the_organs_that_the_head_finds():
    net, scan = without_residuals(with_atlases("atlas")), torch.randn(1, 1, *PATCH)
    labels, organ = torch.zeros(2, *PATCH), torch.zeros(PATCH)
    labels[0, 2:5, 4:8, 4:8], labels[1, 4:7, 4:8, 8:12] = 1, 1
    organ[3:6, 8:12, 6:10] = 1
    net.atlases.put(0, list(torch.randn(2, 1, *PATCH)), list(labels))
    let_head_find(net, organ)
    with torch.no_grad():
        fields, found = net.register(scan), net(scan)[0].argmax(0)
    shifts = torch.tensor([[-1.0, -4, -2], [1, -4, 2]])
    torch.testing.assert_close(fields, shifts.view(2, 3, 1, 1, 1).expand_as(fields))
    assert torch.equal(found, organ.long())


def test_fused_is_the_sum_of_the_branches():
    nets = {inference: with_atlases(inference) for inference in ("segmentation", "atlas", "fused")}
    for net in nets.values():
        net.load_state_dict(nets["fused"].state_dict())
    scans = torch.randn(1, 1, *PATCH)
    with torch.no_grad():
        total = nets["segmentation"](scans) + nets["atlas"](scans)
        torch.testing.assert_close(nets["fused"](scans), total, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("inference", ["adapted", "atlas", "fused"])
def test_intensity_adaptation_adds_to_the_logits_of_the_branches(inference):
    net, scans = with_atlases(inference), torch.randn(2, 1, *PATCH)
    with torch.no_grad():
        without = net(scans)
        net.intensity_weight, net.intensity_prior = 2.0, 10.0
        for scan, logits, informed in zip(scans, without, net(scans), strict=True):
            evidence = intensity_evidence(logits.softmax(0), scan[0], 10.0)
            assert evidence.max() > 0.1
            torch.testing.assert_close(informed, logits + 2 * evidence, atol=1e-3, rtol=1e-3)


def test_a_network_without_atlases_predicts_by_its_head_and_intensity_adaptation():
    net = network(LAYOUT, "adapted", deep_supervision=False, correspondence_channels=0).eval()
    scan = torch.randn(1, 1, *PATCH)
    with torch.no_grad():
        head = net(scan)
        net.intensity_weight, net.intensity_prior = 2.0, 10.0
        evidence = intensity_evidence(head[0].softmax(0), scan[0, 0], 10.0)
        torch.testing.assert_close(net(scan)[0], head[0] + 2 * evidence)
        net.inference = "segmentation"
        assert torch.equal(net(scan), head)
    assert network(LAYOUT, "fused", correspondence_channels=0).inference == "segmentation"


def test_fields_are_refined_if_asked():
    net, scan = with_atlases("atlas"), torch.randn(1, 1, *PATCH)
    with torch.inference_mode():
        as_the_network_has_them, labels = net.register(scan), net(scan)
        net.refinement_steps = 3
        refined = net.register(scan)
        assert not torch.allclose(net(scan), labels)
    similarity = [
        local_correlation_loss(warp(net.atlases.images_of(0), fields), scan)
        for fields in (as_the_network_has_them, refined)
    ]
    assert similarity[1] < similarity[0]


def test_atlases_are_encoded_once_for_all_tiles_and_again_for_other_weights():
    net = with_atlases("atlas")
    calls = []
    net.unets[0].encoder.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(1, 1, *PATCH))
        assert sorted(calls) == [1, 1, 1, 2]  # three tiles, and two atlases once
        first = net(scans := torch.randn(1, 1, *PATCH))
        state = copy.deepcopy(net.state_dict())
        state["unets.0.encoder.stages.0.0.convs.0.conv.weight"] *= -1
        net.load_state_dict(state)
        assert not torch.equal(net(scans), first)
    assert calls.count(2) == 2


def test_state_loads_strictly_into_another_modalitys_model():
    one, other = network(LAYOUT, modality=0), network(LAYOUT, modality=1)
    other.load_state_dict(one.state_dict(), strict=True)
    assert other.active == (1,)
