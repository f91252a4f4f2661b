import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from mass_nnunet.shared_kernels import SharedKernelNet
from small_network import CLASSES, PATCH, unet


def network(modality: int = 0) -> SharedKernelNet:
    net = SharedKernelNet([unet(), unet()], modality)
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


def test_each_scan_goes_through_its_own_normalizations():
    net = network()
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
    net.set_deep_supervision(False)
    torch.testing.assert_close(net(scans), expected)
    torch.testing.assert_close(net.unets[1](scans), expected)


def test_state_loads_strictly_into_another_modalitys_model():
    one, other = network(0), network(1)
    other.load_state_dict(one.state_dict(), strict=True)
    scans = torch.randn(1, 1, *PATCH)
    one.active = (1,)
    torch.testing.assert_close(one(scans)[0], other(scans)[0])
