import pytest
import torch
import torch.nn.functional as F

from mass_nnunet.batch import Layout, Scans
from mass_nnunet.networks import views
from mass_nnunet.networks.blocks import cpu_autocast
from mass_nnunet.networks.views import ViewsNet, ViewsOutput
from small_network import CLASSES, PATCH, unet

LAYOUT = Layout(1, 2, 3)
VIEWS = 2
CLOSE = {"atol": 0.05, "rtol": 0.05}
"""In bfloat16, where the processor has it."""


@pytest.fixture
def net():
    torch.manual_seed(0)
    return ViewsNet(unet()).train()


def scans() -> Scans:
    return Scans(torch.randn(2 + 3 + VIEWS * 3, 1, *PATCH), LAYOUT)


def test_evaluation_is_the_unet_alone(net):
    images = torch.randn(2, 1, *PATCH)
    net.eval()
    for deep in (True, False):
        net.decoder.deep_supervision = deep
        with torch.no_grad(), cpu_autocast(images.device):
            expected = net.decoder(net.encoder(images))
        found = net(images)
        assert isinstance(found, list) == deep
        for ours, its in zip(*((found, expected) if deep else ([found], [expected])), strict=True):
            assert ours.dtype == torch.float32
            torch.testing.assert_close(ours, its.float())


def test_each_view_is_segmented_as_it_would_be_alone(net, monkeypatch):
    """All features stay here, so the perturbed view is the weak one."""
    monkeypatch.setattr(views, "DROPPED", 0.0)
    batch = scans()
    output = net(batch)
    assert isinstance(output, ViewsOutput)
    expected = net.decoder(net.encoder(batch.images))
    for ours, its in zip(output.annotated, expected, strict=True):
        torch.testing.assert_close(ours, its[:2], **CLOSE)
    assert output.weak.shape == output.perturbed.shape == (3, CLASSES, *PATCH)
    torch.testing.assert_close(output.weak, expected[0][2:5], **CLOSE)
    torch.testing.assert_close(output.strong, expected[0][5:], **CLOSE)
    torch.testing.assert_close(output.perturbed, output.weak, **CLOSE)


def test_the_decoder_gets_half_of_the_channels_of_the_perturbed_view_and_all_of_the_others(net, monkeypatch):
    given, batch = [], scans()
    decode = net.decoder.forward
    monkeypatch.setattr(net.decoder, "forward", lambda skips: given.append(skips) or decode(skips))
    output = net(batch)
    with torch.no_grad(), cpu_autocast(batch.images.device):
        skips = net.encoder(batch.images)
    (all_views, weak), kept, channels = given, 0, 0
    for skip, ours, its_weak in zip(skips, all_views, weak, strict=True):
        torch.testing.assert_close(its_weak, skip[2:5])
        torch.testing.assert_close(ours[:8], torch.cat([skip[:2], skip[5:]]))
        is_kept = ours[8:].flatten(2).any(2)[..., None, None, None]
        torch.testing.assert_close(ours[8:], 2 * is_kept * its_weak)
        kept, channels = kept + int(is_kept.sum()), channels + is_kept.numel()
    assert 0.25 < kept / channels < 0.75
    assert not torch.allclose(output.perturbed, output.weak, atol=0.1)


def test_what_each_output_teaches(net):
    """In half precision, on any processor."""
    parts = [net.encoder.stages[0], net.encoder.stages[-1], net.decoder.stages, net.decoder.seg_layers[-1]]
    with torch.autocast("cpu", torch.bfloat16):
        output = net(scans())
        assert not output.weak.requires_grad
        for logits in (output.annotated[0], output.strong, output.perturbed):
            loss = F.log_softmax(logits, 1)[:, 0].mean()
            for part in parts:
                weights = [p for p in part.parameters() if p.dim() > 1]
                found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
                assert all(each is not None and each.abs().sum() > 0 for each in found)


def test_the_encoder_learns_nothing_from_the_weak_view_but_by_the_perturbed_one(net):
    images = scans().images.requires_grad_()
    output = net(Scans(images, LAYOUT))
    for logits, its in (
        (output.annotated[0], {0, 1}),
        (output.perturbed, {2, 3, 4}),
        (output.strong, set(range(5, 11))),
    ):
        (found,) = torch.autograd.grad(logits.square().sum(), images, retain_graph=True)
        assert {i for i, each in enumerate(found) if each.any()} == its
