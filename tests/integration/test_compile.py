"""torch.compile, which nnU-Net uses on GPUs: one graph for each kind of batch, and none anew from step to step."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mass_nnunet.batch import Layout, Scans
from mass_nnunet.networks.pair import PairNet
from mass_nnunet.networks.views import ViewsNet
from mass_nnunet.registration.atlas import AtlasBank
from small_network import CLASSES, PATCH, batch, network, unet


def pair_network(_: Layout) -> PairNet:
    atlases = AtlasBank(1, 1, 1, CLASSES, PATCH)
    return PairNet(unet(channels=2), atlases=atlases, backward=unet(channels=2))


@pytest.fixture(autouse=True)
def fresh():
    """Reset the compiler, because graphs of other tests count towards its limit."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compiled(net: nn.Module) -> tuple[nn.Module, list]:
    """The network compiled without a break in its graph, and the list that its graphs go to."""
    graphs = []

    def keep(graph: torch.fx.GraphModule, _: list) -> nn.Module:
        graphs.append(graph)
        return graph

    return torch.compile(net, backend=keep, fullgraph=True), graphs


@pytest.mark.parametrize(("make", "modalities"), [(network, 2), (pair_network, 1)])
def test_training_has_a_graph_for_each_kind_of_batch(make, modalities):
    layout = Layout(modalities, 2, 1)
    net = make(layout).train()
    net.active = tuple(range(modalities))
    fast, graphs = compiled(net)
    for step in range(6):
        scans, _ = batch(replace(layout, unlabelled=1 - step % 2), seed=step)
        torch.testing.assert_close(fast(scans).fields, net(scans).fields)
    assert len(graphs) == 2


def test_weak_and_strong_views_are_in_one_graph():
    layout = Layout(1, 2, 2)
    net = ViewsNet(unet()).train()
    fast, graphs = compiled(net)
    for step in range(3):
        images = torch.randn(8, 1, *PATCH, generator=torch.Generator().manual_seed(step))
        found, expected = fast(Scans(images, layout)), net(Scans(images, layout))
        for name in ("weak", "strong"):
            torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    assert len(graphs) == 1


def test_validation_has_one_graph():
    net = network().eval()
    net.active = (0, 1)
    fast, graphs = compiled(net)
    with torch.no_grad():
        for step in range(3):
            scans, _ = batch(Layout(2, 1, 0), seed=step)
            torch.testing.assert_close(fast(scans.images), net(scans.images))
    assert len(graphs) == 1
