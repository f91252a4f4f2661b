import pytest
import torch

from mass_nnunet.trust import MOMENTUM, Trust, trusted_mean

HEAD = torch.tensor([[0.9, 0.0], [0.6, 0.8]])  # two modalities, two organs
ATLAS = torch.tensor([[0.9, 0.7], [0.3, 0.4]])


def test_the_better_branch_leads():
    trust = Trust()
    trust.update(HEAD, ATLAS)
    expected = torch.tensor([[0.5, 1.0], [1 / 257, 1 / 257]])  # 2^8 = 256
    torch.testing.assert_close(trust.share()[:, 1:], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(trust.share()[:, 0], expected.mean(1), atol=1e-4, rtol=0)


def test_nobody_knows_the_class_yet():
    trust = Trust()
    trust.update(0 * HEAD, 0 * ATLAS)
    torch.testing.assert_close(trust.share(), torch.full((2, 3), 0.5))


def test_dice_runs():
    trust = Trust()
    trust.update(HEAD, ATLAS)
    trust.update(HEAD + 0.1, ATLAS)
    torch.testing.assert_close(trust.head, HEAD + 0.1 * (1 - MOMENTUM))
    torch.testing.assert_close(trust.atlas, ATLAS)


def test_no_gradient_goes_into_the_trust():
    trust = Trust()
    trust.update(HEAD.clone().requires_grad_(), ATLAS.clone().requires_grad_())
    trust.update(HEAD.clone().requires_grad_(), ATLAS.clone().requires_grad_())
    assert not trust.share().requires_grad


def test_trusted_mean_of_one_voxel():
    head, atlas = (torch.tensor(p).view(1, 3, 1, 1, 1) for p in ([0.2, 0.8, 0.0], [0.3, 0.1, 0.6]))
    # Class by class 0.25, 0.8 and 0.6 before they are scaled to sum to one.
    mean = trusted_mean(head, atlas, torch.tensor([0.5, 0.0, 1.0]))
    torch.testing.assert_close(mean.flatten(), torch.tensor([0.25, 0.8, 0.6]) / 1.65)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_trusted_mean_ends_at_either_branch(share):
    head, atlas = (torch.randn(2, 3, 2, 2, 2).softmax(1) for _ in range(2))
    mean = trusted_mean(head, atlas, torch.full((2, 3), share))
    torch.testing.assert_close(mean, atlas if share else head)
