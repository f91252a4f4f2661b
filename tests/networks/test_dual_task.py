import torch

from mass_nnunet.networks.dual_task import DualTaskNet, DualTaskOutput
from small_network import CLASSES, PATCH, unet


def test_evaluation_is_the_unet_alone():
    plain = unet()
    net = DualTaskNet(plain).eval()
    scans = torch.randn(2, 1, *PATCH)
    with torch.no_grad():
        for deep in (True, False):
            net.decoder.deep_supervision = deep
            torch.testing.assert_close(net(scans), plain(scans))


def test_training_yields_the_same_logits_and_distances():
    plain = unet()
    net = DualTaskNet(plain).train()
    scans = torch.randn(2, 1, *PATCH)
    output = net(scans)
    assert isinstance(output, DualTaskOutput)
    assert output.distances.shape == (2, CLASSES - 1, *PATCH)
    assert output.distances.abs().max() < 1
    for logits, expected in zip(output.logits, plain(scans), strict=True):
        torch.testing.assert_close(logits, expected)


def test_distances_teach_all_but_the_segmentation_heads():
    net = DualTaskNet(unet()).train()
    net(torch.randn(1, 1, *PATCH)).distances.square().sum().backward()
    for part in (net.encoder, net.decoder.stages, net.distance):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    assert all(p.grad is None for p in net.decoder.seg_layers.parameters())
