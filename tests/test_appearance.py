import pytest
import torch

from mass_nnunet import appearance
from mass_nnunet.appearance import perturbed


def scans() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((3, 2, 8, 16, 16), generator=generator) * 5 + 7


def test_each_scan_changes_in_its_own_way():
    torch.manual_seed(0)
    same = scans()[:1].expand(3, -1, -1, -1, -1)
    changed = perturbed(same)
    assert changed.shape == same.shape
    assert not any(torch.allclose(changed[i], other) for i in range(3) for other in (same[0], changed[i - 1]))


def test_scans_given_are_left_as_they_are():
    before = scans()
    perturbed(before)
    assert torch.equal(before, scans())


@pytest.mark.parametrize("kept", ["CONTRAST", "BRIGHTNESS"])
def test_without_noise_and_bias_a_scan_is_mapped_linearly(kept, monkeypatch):
    for name in {"CONTRAST", "BRIGHTNESS", "NOISE", "BIAS"} - {kept}:
        monkeypatch.setattr(appearance, name, 0.0)
    torch.manual_seed(0)
    before, after = scans(), perturbed(scans())
    for x, y in zip(before, after, strict=True):
        scale, shift = y.std() / x.std(), (y - y.mean() - (x - x.mean()) * (y.std() / x.std())).abs().max()
        assert shift < 1e-4
        if kept == "CONTRAST":
            assert 0.6 <= scale <= 1.4
            assert abs(scale - 1) > 1e-3
            torch.testing.assert_close(y.mean(), x.mean())
        else:
            torch.testing.assert_close(y.std(), x.std())
            assert 1e-3 < abs(y.mean() - x.mean()) <= 0.3 * x.std() * 1.001


def test_bias_is_smooth_and_positive(monkeypatch):
    for name in ("CONTRAST", "BRIGHTNESS", "NOISE"):
        monkeypatch.setattr(appearance, name, 0.0)
    torch.manual_seed(0)
    factor = (perturbed(scans()) / scans())[:, 0]
    assert (factor > 0).all()
    assert factor.std() > 1e-2
    assert max(factor.diff(dim=axis).abs().max() for axis in (1, 2, 3)) < 0.5 * (factor.max() - factor.min())


def test_with_nothing_to_change_nothing_changes(monkeypatch):
    for name in ("CONTRAST", "BRIGHTNESS", "NOISE", "BIAS"):
        monkeypatch.setattr(appearance, name, 0.0)
    torch.testing.assert_close(perturbed(scans()), scans())
