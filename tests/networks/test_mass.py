import copy

import pytest
import torch
from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet
from torch import nn

from mass_nnunet.batch import Layout, Scans
from mass_nnunet.losses.similarity import local_correlation_loss
from mass_nnunet.networks.blocks import cpu_autocast, decoder_features
from mass_nnunet.networks.group import share_convolutions, share_decoder
from mass_nnunet.networks.intensity import intensity_evidence
from mass_nnunet.networks.mass import GroupOutput, MASSNet
from mass_nnunet.registration.atlas import EVIDENCE, AtlasBank
from mass_nnunet.registration.fields import warp
from small_network import CLASSES, PATCH, batch, network, unet

LAYOUT = Layout(2, 2, 1)


def with_atlases(inference: str, modality: int = 0):
    net = network(LAYOUT, inference, modality, deep_supervision=False)
    torch.manual_seed(1)
    for m in range(2):
        net.atlases.put(m, list(torch.randn(2, 1, *PATCH)), list(torch.randint(0, CLASSES, (2, *PATCH))))
    return net.eval()


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


def test_where_registration_is_spared_the_scans_are_segmented():
    layout = Layout(2, 2, 1)
    net = network(layout).train()
    net.active = (0, 1)
    scans, _ = batch(layout)
    everything = net(scans)
    labelled = layout.is_labelled(scans.images.device)
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


def test_decoder_features_lead_to_the_decoders_own_output():
    plain = unet(deep_supervision=False)
    scans = torch.randn(1, 1, *PATCH)
    features = decoder_features(plain.decoder, plain.encoder(scans))
    torch.testing.assert_close(plain.decoder.seg_layers[-1](features[-1]), plain(scans))


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


def test_inference_by_atlas_returns_multiples_of_probabilities():
    net = with_atlases("atlas")
    with torch.no_grad():
        logits = net(torch.randn(3, 1, *PATCH))
    assert logits.shape == (3, CLASSES, *PATCH)
    assert logits.min() >= 0
    torch.testing.assert_close(logits.sum(1), torch.full((3, *PATCH), EVIDENCE), atol=1e-3, rtol=0)


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
        net.intensity_weight = 2.0
        for scan, logits, informed in zip(scans, without, net(scans), strict=True):
            evidence = intensity_evidence(logits.softmax(0), scan[0])
            assert evidence.max() > 0.1
            torch.testing.assert_close(informed, logits + 2 * evidence, atol=1e-3, rtol=1e-3)


def test_a_network_without_atlases_predicts_by_its_head_and_intensity_adaptation():
    net = network(LAYOUT, "adapted", deep_supervision=False, correspondence_channels=0).eval()
    scan = torch.randn(1, 1, *PATCH)
    with torch.no_grad():
        head = net(scan)
        net.intensity_weight = 2.0
        informed = net(scan)
        torch.testing.assert_close(informed[0], head[0] + 2 * intensity_evidence(head[0].softmax(0), scan[0, 0]))
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


def residual_unet() -> nn.Module:
    """nnU-Net's residual U-Net, of the same size as the plain one."""
    return unet(deep_supervision=False, kind=ResidualEncoderUNet)


@pytest.mark.parametrize("modality", [0, 1])
@pytest.mark.parametrize("make", [lambda: unet(deep_supervision=False), residual_unet])
@pytest.mark.parametrize("share", [share_convolutions, share_decoder])
def test_each_modality_alone_is_a_plain_unet(share, make, modality, monkeypatch):
    monkeypatch.setattr("mass_nnunet.networks.blocks.NATIVE_BFLOAT16", False)
    unets = [make(), make()]
    share(unets)
    with torch.no_grad():
        for module in unets[1].modules():
            if isinstance(module, nn.InstanceNorm3d):
                nn.init.normal_(module.weight)
    net = MASSNet(
        unets,
        atlases=AtlasBank(2, 2, 1, CLASSES, PATCH),
        correspondence_channels=4,
        modality=modality,
        inference="segmentation",
    ).eval()
    plain = make().eval()
    plain.load_state_dict(net.plain_weights(), strict=True)
    scans = torch.randn(2, 1, *PATCH)
    with torch.no_grad():
        assert torch.equal(plain(scans), net(scans))
        net.active = (1 - modality,)
        assert not torch.allclose(plain(scans), net(scans), atol=1e-3)
