import pytest
import torch

from mass_nnunet.training import augmentation as appearance
from mass_nnunet.training.augmentation import perturbed, random_organ_contrast


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
def test_without_noise_and_bias_a_channel_is_mapped_linearly(kept, monkeypatch):
    for name in {"CONTRAST", "BRIGHTNESS", "NOISE", "BIAS"} - {kept}:
        monkeypatch.setattr(appearance, name, 0.0)
    torch.manual_seed(0)
    before, after = scans(), perturbed(scans())
    for x, y in zip(before.flatten(0, 1), after.flatten(0, 1), strict=True):
        scale, shift = y.std() / x.std(), (y - y.mean() - (x - x.mean()) * (y.std() / x.std())).abs().max()
        assert shift < 1e-4
        if kept == "CONTRAST":
            assert 0.6 <= scale <= 1.4
            assert abs(scale - 1) > 1e-3
            torch.testing.assert_close(y.mean(), x.mean())
        else:
            torch.testing.assert_close(y.std(), x.std())
            assert 1e-3 < abs(y.mean() - x.mean()) <= 0.3 * x.std() * 1.001


def test_channels_change_on_their_own_and_one_of_zeros_does_not():
    torch.manual_seed(0)
    padded = torch.cat([scans(), torch.zeros(3, 1, 8, 16, 16)], dim=1)
    padded[:, 1] = padded[:, 0]
    for changed in (perturbed(padded), random_organ_contrast(padded, organs(), 3, 1.5)):
        assert not changed[:, 2].any()
    assert not torch.allclose(perturbed(padded)[:, 1], perturbed(padded)[:, 0])


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


def organs() -> torch.Tensor:
    """Two boxes in each of three scans."""
    labels = torch.zeros(3, 1, 8, 16, 16)
    labels[:, :, 1:7, 2:8, 2:14] = 1
    labels[:, :, 1:7, 10:14, 2:14] = 2
    return labels


def test_each_organ_of_each_channel_is_shifted_as_a_whole(monkeypatch):
    monkeypatch.setattr(appearance, "SHARE", 1.0)
    torch.manual_seed(0)
    before = scans()
    gain = (random_organ_contrast(before, organs(), 3, 1.5) - before) / before.std((2, 3, 4), keepdim=True)
    first, second = gain[:, :, 1:7, 3:7, 3:13].flatten(2), gain[:, :, 1:7, 11:13, 3:13].flatten(2)  # without the edges
    for inside in (first, second):
        torch.testing.assert_close(inside, inside[..., :1].expand_as(inside), atol=1e-5, rtol=0)
    shifts = torch.stack([first[..., 0], second[..., 0]])
    assert (shifts.abs() <= 1.5).all()
    assert len(shifts.unique()) == shifts.numel()
    assert not gain[:, :, :, 0].any()  # two voxels from the next organ
    assert not gain[:, :, 0].any()  # an edge is not spread along z
    edge = gain[:, 0, 1:7, 1, 3:13] / first[:, 0, :1, None]  # three of the nine voxels around are the organ's
    torch.testing.assert_close(edge, torch.full_like(edge, 1 / 3))


def test_a_share_of_the_scans_keeps_its_organs(monkeypatch):
    monkeypatch.setattr(appearance, "SHARE", 0.3)
    torch.manual_seed(0)
    before, labels = scans()[:1].expand(500, -1, -1, -1, -1), organs()[:1].expand(500, -1, -1, -1, -1)
    kept = sum(torch.equal(a, b) for a, b in zip(random_organ_contrast(before, labels, 3, 1.5), before, strict=True))
    assert 0.6 < kept / 500 < 0.8


def test_a_scan_without_organs_keeps_its_intensities():
    assert torch.equal(random_organ_contrast(scans(), torch.zeros(3, 1, 8, 16, 16), 3, 1.5), scans())


def test_a_voxel_of_unknown_class_is_not_shifted(monkeypatch):
    monkeypatch.setattr(appearance, "SHARE", 1.0)
    torch.manual_seed(0)
    labels = organs()
    labels[:, :, :, 10:] = 5
    gain = random_organ_contrast(scans(), labels, 3, 1.5) - scans()
    assert gain[:, :, 1:7, 2:8, 2:14].any()
    assert not gain[:, :, :, 10:].any()
