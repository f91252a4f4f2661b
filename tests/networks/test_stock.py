import pytest
import torch
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights

from mass_nnunet.networks.cross import CrossNet
from mass_nnunet.networks.dual_task import DualTaskNet
from mass_nnunet.networks.group import GroupNet, share_convolutions, share_decoder
from mass_nnunet.networks.stock import ENCODER, HEADS, PARTS, misfit
from mass_nnunet.networks.views import ViewsNet
from small_network import PATCH, network, unet


def group(share) -> GroupNet:
    unets = [unet(), unet()]
    share(unets)
    return GroupNet(unets, 1)


MAKERS = {
    "separate": lambda: group(lambda _: None),
    "shared decoder": lambda: group(share_decoder),
    "shared convolutions": lambda: group(share_convolutions),
    "MASS": network,
    "dual task": lambda: DualTaskNet(unet()),
    "cross": lambda: CrossNet([unet(), unet()]),
    "views": lambda: ViewsNet(unet()),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_nnunet_puts_stock_weights_into_each_unet(make, tmp_path):
    stock, net = unet(), make()
    torch.save({"network_weights": stock.state_dict()}, tmp_path / "stock.pth")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.awaits = PARTS
    load_pretrained_weights(net, str(tmp_path / "stock.pth"))
    after = net.state_dict()
    assert not net.awaits and before.keys() == after.keys()
    taken = set()
    for prefix, state in zip(net.stock_prefixes(), net.stock_states(), strict=True):
        assert state.keys() == stock.state_dict().keys()
        taken |= {prefix + key for key in state if HEADS not in key}
        assert all(torch.equal(v, state[k]) for k, v in stock.state_dict().items() if HEADS not in k)
    assert all(torch.equal(value, before[key]) for key, value in after.items() if key not in taken)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_each_unet_takes_the_encoder_of_a_file_without_a_decoder(make, tmp_path):
    encoder = {key: value for key, value in unet().state_dict().items() if key.startswith(ENCODER)}
    torch.save({"network_weights": encoder | {"projector.weight": torch.ones(1)}}, tmp_path / "encoder.pth")
    net = make()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.awaits = (ENCODER,)
    load_pretrained_weights(net, str(tmp_path / "encoder.pth"))
    after = net.state_dict()
    assert not net.awaits and before.keys() == after.keys()
    for state in net.stock_states((ENCODER,)):
        assert state.keys() == encoder.keys()
        assert all(torch.equal(value, state[key]) for key, value in encoder.items())
    assert all(torch.equal(value, before[key]) for key, value in after.items() if ENCODER not in key)


def test_a_network_that_awaits_nothing_is_as_in_torch():
    net, other = network(), network()
    net.load_state_dict(other.state_dict())
    net.eval(), other.eval()
    scans = torch.randn(2, 1, *PATCH)
    assert all(torch.equal(a, b) for a, b in zip(net(scans), other(scans), strict=True))


def test_what_does_not_fit_is_named():
    state = unet().state_dict()
    assert misfit(state, state) is None
    assert misfit({k: v for k, v in state.items() if HEADS not in k}, state) is None
    key = next(iter(state))
    assert misfit({k: v for k, v in state.items() if k != key}, state) == f"it has no {key}"
    other = unet(channels=2).state_dict()
    assert misfit(other, state) == f"its {key} has the shape (4, 2, 3, 3, 3), and the network's (4, 1, 3, 3, 3)"
