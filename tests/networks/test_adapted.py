from copy import deepcopy

import pytest
import torch

from mass_nnunet.networks.adapted import offer_adaptation
from mass_nnunet.networks.intensity import intensity_evidence
from small_network import PATCH, unet


def adapting(inference: str = "adapted", *, deep_supervision: bool = False) -> torch.nn.Module:
    torch.manual_seed(0)
    network = unet(deep_supervision)
    offer_adaptation(network, inference=inference, weight=4.0, prior=2.0)
    return network


def test_adapted_logits_are_those_of_the_head_and_the_evidence_of_each_scan():
    network, scans = adapting().eval(), torch.randn(2, 1, *PATCH)
    with torch.no_grad():
        adapted = network(scans)
        network.inference = "segmentation"
        logits = network(scans)
    pairs = zip(logits, scans, strict=True)
    expected = [one + 4 * intensity_evidence(one.softmax(0), scan[0], 2.0) for one, scan in pairs]
    torch.testing.assert_close(adapted, torch.stack(expected))
    assert not torch.allclose(adapted, logits)


@pytest.mark.parametrize(("named", "taken"), [("fused", "segmentation"), ("atlas", "segmentation"), ("adapted",) * 2])
def test_what_needs_atlases_is_replaced_by_the_head(named, taken):
    assert adapting(named).inference == taken
    assert adapting(named).inferences == ("segmentation", "adapted")


@pytest.mark.parametrize(("training", "deep"), [(True, False), (True, True), (False, True)])
def test_training_and_deep_supervision_have_the_logits_of_the_heads(training, deep):
    scans = torch.randn(1, 1, *PATCH)
    networks = [adapting(name, deep_supervision=deep).train(training) for name in ("adapted", "segmentation")]
    for a, b in zip(*(network(scans) for network in networks), strict=True):
        assert torch.equal(a, b)


def test_a_copy_has_an_inference_of_its_own_and_the_state_is_the_plain_networks():
    network, scans = adapting().eval(), torch.randn(1, 1, *PATCH)
    copy = deepcopy(network)
    copy.inference = "segmentation"
    assert network.inference == "adapted"
    assert not torch.allclose(copy(scans), network(scans))
    assert network.state_dict().keys() == unet().state_dict().keys()


def test_logits_in_half_precision_are_adapted_in_full():
    network = adapting().eval()
    scans = torch.randn(1, 1, *PATCH)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert network(scans).dtype == torch.float32
