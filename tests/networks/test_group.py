from collections.abc import Callable

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn
from torch.nn.modules.conv import _ConvNd

from mass_nnunet.networks.blocks import decoder_features, set_deep_supervision
from mass_nnunet.networks.group import GroupNet, share_convolutions, share_decoder
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.registration.atlas import AtlasBank
from small_network import CLASSES, PATCH, unet


def network(modality: int = 0, share: Callable = share_convolutions) -> GroupNet:
    unets = [unet(), unet()]
    share(unets)
    net = GroupNet(unets, modality)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.InstanceNorm3d):
                nn.init.normal_(module.weight)
    return net


def test_convolutions_are_shared_and_normalizations_are_not():
    net, single = network(), unet()
    count = {
        kind: sum(p.numel() for m in single.modules() if isinstance(m, kind) for p in m.parameters(recurse=False))
        for kind in (_ConvNd, nn.InstanceNorm3d)
    }
    # A decoder of dynamic-network-architectures holds its encoder, so that its modules are met once, not twice.
    assert sum(p.numel() for p in net.parameters()) == count[_ConvNd] + 2 * count[nn.InstanceNorm3d]
    assert count[nn.InstanceNorm3d] > 0


@pytest.mark.parametrize("share", [share_convolutions, share_decoder])
@pytest.mark.parametrize("kind", [PlainConvUNet, ResidualEncoderUNet])
def test_each_unet_sees_the_channels_of_its_modality(share, kind):
    unets = [unet(channels=channels, kind=kind) for channels in (1, 2)]
    share(unets)
    net = GroupNet(unets, 0).eval()
    net.active = (0, 1)
    batch = torch.randn(2, 2, *PATCH)
    other = batch.clone()
    other[0, 1] = 7  # the first modality has one channel
    assert net.channels == [1, 2]
    for logits, same in zip(net(batch), net(other), strict=True):
        assert torch.equal(logits, same)
    other[1, 1] = 7
    assert not torch.equal(net(batch)[0][1], net(other)[0][1])
    first, second = (next(m for m in u.encoder.modules() if isinstance(m, _ConvNd)) for u in unets)
    assert first.weight is not second.weight
    assert unets[0].decoder.seg_layers[0].weight is unets[1].decoder.seg_layers[0].weight


def test_decoder_is_shared_and_encoders_are_not():
    net, single = network(share=share_decoder), unet()
    encoder = sum(p.numel() for p in single.encoder.parameters())
    whole = sum(p.numel() for p in single.parameters())
    assert sum(p.numel() for p in net.parameters()) == whole + encoder
    assert all(other.decoder.encoder is other.encoder for other in net.unets)


@pytest.mark.parametrize("share", [share_convolutions, share_decoder])
@pytest.mark.parametrize("modality", [0, 1])
def test_plain_weights_make_a_plain_unet_of_the_modality(modality, share):
    net, plain = network(modality, share), unet()
    plain.load_state_dict(net.plain_weights(), strict=True)
    scans = torch.randn(2, 1, *PATCH)
    torch.testing.assert_close(plain(scans), net(scans))
    net.active = (1 - modality,)
    assert not torch.allclose(plain(scans)[0], net(scans)[0])


@pytest.mark.parametrize("share", [share_convolutions, share_decoder])
def test_each_scan_goes_through_its_own_unet(share):
    net = network(share=share)
    scans = torch.randn(4, 1, *PATCH)
    net.active = (0, 1)
    together = net(scans)
    assert [tuple(x.shape) for x in together] == [(4, CLASSES, *PATCH), (4, CLASSES, 8, 8, 8)]
    for modality in range(2):
        share = slice(2 * modality, 2 * modality + 2)
        torch.testing.assert_close(net.unets[modality](scans[share])[0], together[0][share])
    net.active = (1, 0)
    assert not torch.allclose(net(scans)[0], together[0])


def test_without_deep_supervision_the_finest_logits_alone():
    net = network(modality=1)
    scans = torch.randn(1, 1, *PATCH)
    expected = net(scans)[0]
    set_deep_supervision(net, False)
    torch.testing.assert_close(net(scans), expected)
    torch.testing.assert_close(net.unets[1](scans), expected)


def test_state_loads_strictly_into_another_modalitys_model():
    one, other = network(0), network(1)
    other.load_state_dict(one.state_dict(), strict=True)
    scans = torch.randn(1, 1, *PATCH)
    one.active = (1,)
    torch.testing.assert_close(one(scans)[0], other(scans)[0])


def test_decoder_features_lead_to_the_decoders_own_output():
    plain = unet(deep_supervision=False)
    scans = torch.randn(1, 1, *PATCH)
    features = decoder_features(plain.decoder, plain.encoder(scans))
    torch.testing.assert_close(plain.decoder.seg_layers[-1](features[-1]), plain(scans))


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
