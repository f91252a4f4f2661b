"""Logits of regions: their sigmoid is the sum of the probabilities of classes."""

import copy

import pytest
import torch
from torch import nn

from mass_nnunet.errors import UserError
from mass_nnunet.networks.adapted import offer_adaptation
from mass_nnunet.networks.regions import classes_of_network, offer_regions, region_logits

REGIONS = [[1, 2, 3], [2, 3], [3]]
SHAPE = (2, 4, 3, 5, 6)


def sums(logits: torch.Tensor) -> torch.Tensor:
    probabilities = logits.float().softmax(1)
    return torch.stack([probabilities[:, region].sum(1) for region in REGIONS], 1)


@pytest.mark.parametrize("spread", [1.0, 20.0])
def test_the_sigmoid_is_the_sum_of_the_softmax(spread):
    logits = spread * torch.randn(SHAPE)
    found = region_logits(logits, REGIONS)
    assert found.shape == (2, 3, 3, 5, 6)
    torch.testing.assert_close(found.sigmoid(), sums(logits))


def test_a_value_by_hand_and_certain_voxels():
    """Equal logits: three of four classes are three to one. Where one class is certain, no logit is infinite."""
    equal = region_logits(torch.zeros(1, 4, 1), REGIONS)
    torch.testing.assert_close(equal[0, :, 0], torch.tensor([3.0, 1.0, 1 / 3]).log())
    certain = torch.full((1, 4, 1), -500.0)
    certain[:, 2] = 500
    found = region_logits(certain.half(), REGIONS)
    assert found.dtype == torch.float32 and found.isfinite().all()
    assert found.sigmoid()[0, :, 0].tolist() == [1, 1, 0]


def test_classes_of_a_network():
    """nnU-Net counts classes in training, and regions in prediction."""
    assert [classes_of_network(REGIONS, outputs) for outputs in (3, 4)] == [4, 4]
    assert [classes_of_network(none, 5) for none in (None, [])] == [5, 5]
    with pytest.raises(UserError, match=r"plans.json has 3 regions in .*, and the dataset.json beside it 2:"):
        classes_of_network(REGIONS, 2)


class Toy(nn.Module):
    """A network with one convolution as head, and deep supervision."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.deep_supervision = nn.Conv3d(1, 4, 1), False

    def forward(self, scans):
        logits = self.head(scans)
        return [logits] if self.deep_supervision else logits


def test_a_network_yields_regions_where_nnunet_predicts_and_nowhere_else():
    network, scans = Toy(), torch.randn(2, 1, 3, 5, 6)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    expected = network(scans)
    offer_regions(network, REGIONS)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert torch.equal(network(scans), expected), "in training"
    network.eval()
    torch.testing.assert_close(network(scans).sigmoid(), sums(expected))
    copied = copy.deepcopy(network)
    copied.yields_regions = False
    assert torch.equal(copied(scans), expected), "a teacher sees classes"
    assert network(scans).shape[1] == 3
    network.deep_supervision = True
    assert torch.equal(network(scans)[0], expected), "nnU-Net's validation of patches sees the training's loss"


def test_intensity_adaptation_comes_before():
    network, scans = Toy().eval(), torch.randn(1, 1, 6, 12, 12)
    offer_adaptation(network, inference="adapted", weight=1.0, prior=1.0)
    adapted = network(scans)
    offer_regions(network, REGIONS)
    torch.testing.assert_close(network(scans).sigmoid(), sums(adapted))
