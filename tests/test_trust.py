import pytest
import torch

import mass_nnunet.trust as trust_module
from mass_nnunet.trust import MOMENTUM, Trust, trusted_mean, without_lost

HEAD = torch.tensor([[0.9, 0.0], [0.6, 0.8]])  # two modalities, two organs
ATLAS = torch.tensor([[0.9, 0.7], [0.3, 0.9]])


def test_the_better_branch_leads():
    trust = Trust()
    trust.update(HEAD, ATLAS)
    expected = torch.tensor([[0.5, 1.0], [1 / (1 + 2**8), 1 / (1 + (0.8 / 0.9) ** 8)]])
    torch.testing.assert_close(trust.share(), expected)


def test_a_steeper_share_does_not_underflow(monkeypatch):
    """0.02^32 is no number of float32."""
    monkeypatch.setattr(trust_module, "POWER", 32)
    trust = Trust()
    trust.update(torch.full((2, 2), 0.02), torch.full((2, 2), 0.021))
    torch.testing.assert_close(trust.share(), torch.full((2, 2), 1 / (1 + (0.02 / 0.021) ** 32)))


def test_nobody_knows_the_class_yet():
    trust = Trust()
    trust.update(0 * HEAD, 0 * ATLAS)
    torch.testing.assert_close(trust.share(), torch.full((2, 2), 0.5))


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
    half = trusted_mean(head, atlas, torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(half, (head + atlas) / 2)
    # 0.8 and 0.6 are too much for one voxel.
    both = trusted_mean(head, atlas, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(both.flatten(), torch.tensor([0.0, 0.8, 0.6]) / 1.4)
    # What the head finds none of, and the atlas is not asked about, is background.
    none = trusted_mean(head, atlas, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(none.flatten(), torch.tensor([0.9, 0.1, 0.0]))


def test_a_lost_organ_is_the_atlases():
    head, atlas = (torch.zeros(1, 3, 4, 4, 4) for _ in range(2))
    atlas[:, 1:, :2] = 0.5  # 16 voxels of either organ
    head[:, 1, 0, :2, :3], head[:, 2, 0, :2, :] = 1, 1.1  # 6 of the one, 8.8 of the other
    torch.testing.assert_close(without_lost(torch.tensor([[0.3, 0.3]]), head, atlas), torch.tensor([[1.0, 0.3]]))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_trusted_mean_ends_at_either_branch(share):
    head, atlas = (torch.randn(2, 3, 2, 2, 2).softmax(1) for _ in range(2))
    mean = trusted_mean(head, atlas, torch.full((2, 2), share))
    torch.testing.assert_close(mean, atlas if share else head)
