import pytest
import torch
import torch.nn.functional as F

from mass_nnunet.training import gin
from mass_nnunet.training.gin import random_convolutions, random_network


def scans(count: int = 3, channels: int = 1) -> torch.Tensor:
    return torch.randn((count, channels, 4, 12, 12), generator=torch.Generator().manual_seed(0)) * 5 + 2


@pytest.mark.parametrize("channels", [1, 2])
def test_the_network_is_that_of_each_scan_alone(monkeypatch, channels):
    """Recomputed scan by scan, channel by channel, with the weights in the order in which they are sampled."""
    monkeypatch.setattr(gin, "KERNELS", (3,))
    torch.manual_seed(1)
    found = random_network(scans(2, channels))
    torch.manual_seed(1)
    widths = [channels, 2, 2, 2, channels]
    expected = list(scans(2, channels))
    for layer in range(4):
        weights = torch.randn(2, widths[layer + 1], widths[layer], 3, 3)
        shifts = torch.randn(2, widths[layer + 1])
        for i in range(2):
            slices = expected[i].transpose(0, 1)  # (Z, C, Y, X): each slice for itself
            slices = F.conv2d(slices if layer == 0 else slices.where(slices > 0, 0.01 * slices), weights[i], padding=1)
            expected[i] = slices.transpose(0, 1) + shifts[i].view(-1, 1, 1, 1)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-3)


def test_both_kernels_are_used(monkeypatch):
    torch.manual_seed(0)
    seen, convolve = set(), F.conv3d

    def watched(scan, weights, *others, **more):
        seen.add(tuple(weights.shape[2:]))
        return convolve(scan, weights, *others, **more)

    monkeypatch.setattr(F, "conv3d", watched)
    for _ in range(5):
        random_network(scans())
    assert seen == {(1, 1, 1), (1, 3, 3)}


def test_a_scan_keeps_its_norm_and_changes_in_its_own_way(monkeypatch):
    monkeypatch.setattr(gin, "SHARE", 1.0)
    torch.manual_seed(0)
    same = scans()[:1].expand(3, -1, -1, -1, -1)
    changed = random_convolutions(same)
    torch.testing.assert_close(changed.flatten(1).norm(dim=1), same.flatten(1).norm(dim=1))
    assert not any(torch.allclose(changed[i], other) for i in range(3) for other in (same[0], changed[i - 1]))
    assert torch.equal(same[0], scans()[0])  # the scans given stay as they are


def test_a_mixture_is_between_the_scan_and_the_networks_image(monkeypatch):
    monkeypatch.setattr(gin, "SHARE", 1.0)
    monkeypatch.setattr(gin, "random_network", lambda x: torch.ones_like(x) * 7)
    torch.manual_seed(0)
    before, after = scans(), random_convolutions(scans())
    for x, y in zip(before, after, strict=True):
        ratio = (y - y.mean()).flatten() / (x - x.mean()).flatten()  # (1 - alpha) times the change of the norm
        torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-3, atol=1e-3)
        assert ratio[0] > 0


def test_a_share_of_the_scans_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(gin, "SHARE", 0.3)
    torch.manual_seed(0)
    before = scans()[:1].expand(300, -1, -1, -1, -1)
    kept = sum(torch.equal(a, b) for a, b in zip(random_convolutions(before), before, strict=True))
    assert 0.6 < kept / 300 < 0.8
