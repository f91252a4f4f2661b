import torch

from mass_nnunet.networks.blocks import cpu_autocast
from mass_nnunet.networks.cross import CrossNet
from small_network import CLASSES, PATCH, unet


def cross(deep_supervision: bool = True) -> CrossNet:
    torch.manual_seed(0)
    return CrossNet([unet(deep_supervision), unet(deep_supervision)])


def test_training_gives_the_logits_of_both_and_evaluation_those_of_the_first():
    network, scans = cross(), torch.randn(2, 1, *PATCH)
    pair = network.train()(scans)
    with torch.no_grad(), cpu_autocast(scans.device):
        for logits, one in zip(pair, network.unets, strict=True):
            for scale, expected in zip(logits, one(scans), strict=True):
                torch.testing.assert_close(scale, expected.float())
    assert not torch.allclose(pair[0][0], pair[1][0])
    with torch.no_grad():
        assert torch.equal(network.eval()(scans)[0], pair[0][0])


def test_without_deep_supervision_there_is_one_tensor():
    logits = cross(deep_supervision=False).eval()(torch.randn(1, 1, *PATCH))
    assert logits.shape == (1, CLASSES, *PATCH)
    assert logits.dtype == torch.float32


def test_the_plain_weights_are_those_of_the_first():
    network = cross()
    plain = unet()
    plain.load_state_dict(network.plain_weights())
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), network.unets[0].parameters(), strict=True))
