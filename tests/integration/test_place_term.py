"""The term ``place`` of MASSObjective: background where the unlabelled scans of a batch can have no organ."""

import pytest
import torch

from mass_nnunet.batch import Layout
from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.losses.absence import absence_loss
from small_network import batch, network, objective, step_labels

LAYOUT = Layout(2, 2, 1)
REGION = (slice(None), slice(None), slice(None, 3))
HIDDEN = [2, 5]


def step(*, elsewhere: bool = True):
    """Network, objective, output and loss of a step whose unlabelled scans have a region without organs, or not."""
    torch.manual_seed(0)
    net = network(LAYOUT).train()
    net.active = (0, 1)
    scans, labels = batch(LAYOUT)
    labels[0] = labels[0].clone()
    labels[0][HIDDEN] = UNKNOWN
    if elsewhere:
        part = labels[0][HIDDEN]
        part[REGION] = ELSEWHERE
        labels[0][HIDDEN] = part
    loss, output = objective(), net(scans)
    value = loss(output, step_labels(labels, LAYOUT, progress=1.0))
    return net, loss, output, value


def test_the_term_is_the_loss_of_the_unlabelled_scans():
    _, loss, output, value = step()
    absent = torch.zeros_like(output.logits[0][HIDDEN][:, :1])
    absent[REGION] = 1
    expected = absence_loss(output.logits[0][HIDDEN], absent)
    torch.testing.assert_close(loss.terms["place"], expected.detach())
    assert expected.item() > 0
    _, without, _, rest = step(elsewhere=False)
    assert without.terms["place"] == 0
    torch.testing.assert_close(value - rest, loss.weights["place"] * expected)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_encoders_and_decoder_learn_it(part):
    net, _, output, _ = step()
    absent = torch.zeros_like(output.logits[0][HIDDEN][:, :1])
    absent[REGION] = 1
    absence_loss(output.logits[0][HIDDEN], absent).backward()
    for unet in net.unets:
        assert any(p.grad is not None and p.grad.any() for p in getattr(unet, part).parameters())
