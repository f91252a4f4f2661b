from itertools import pairwise

import numpy as np
import pytest
import torch

from mass_nnunet.training import slaug
from mass_nnunet.training.slaug import KNOTS, bezier_curves, curved, location_scale_augmentation


def scans() -> torch.Tensor:
    return torch.randn((3, 1, 6, 16, 16), generator=torch.Generator().manual_seed(0)) * 5 + 7


def organs() -> torch.Tensor:
    """Two boxes in each of three scans."""
    labels = torch.zeros(3, 1, 6, 16, 16)
    labels[..., 2:8, 2:14] = 1
    labels[..., 10:14, 2:14] = 2
    return labels


def still(monkeypatch, **changes: object) -> None:
    """All scans change, by the curves alone."""
    for name, value in {"SHARE": 1.0, "SCALE": 0.0, "LOCATION": 0.0, "AIR": -1.0, **changes}.items():
        monkeypatch.setattr(slaug, name, value)


def test_a_curve_is_the_cubic_bezier_curve_of_its_control_points():
    """By de Casteljau's construction, at parameters that are dense along the abscissa."""
    inner = torch.tensor([[[0.1, 0.7], [0.4, 0.9]], [[0.8, 0.2], [0.9, 0.1]], [[1 / 3, 1 / 3], [2 / 3, 2 / 3]]])
    for curve, (p1, p2) in zip(bezier_curves(inner).numpy(), inner.numpy(), strict=True):
        t = np.linspace(0, 1, 20001)[:, None]
        points = [np.zeros(2), p1, p2, np.ones(2)]
        while len(points) > 1:
            points = [(1 - t) * a + t * b for a, b in pairwise(points)]
        expected = np.interp(np.linspace(0, 1, KNOTS), points[0][:, 0], points[0][:, 1])
        np.testing.assert_allclose(curve, expected, atol=2e-3)
    np.testing.assert_allclose(bezier_curves(inner)[2], np.linspace(0, 1, KNOTS), atol=1e-5)  # a straight line


def test_curves_increase_from_0_to_1():
    torch.manual_seed(0)
    curves = bezier_curves(torch.rand(500, 2, 2))
    assert (curves.diff(dim=1) >= -1e-6).all()
    torch.testing.assert_close(curves[:, [0, -1]], torch.tensor([[0.0, 1.0]]).expand(500, 2))


@pytest.mark.parametrize("decreasing", [False, True])
def test_each_region_is_mapped_onto_its_own_range(monkeypatch, decreasing):
    still(monkeypatch)
    torch.manual_seed(0)
    index = torch.arange(4).repeat_interleave(50)
    values = torch.rand(200) / 4 + index / 4
    found = curved(values, index, 5, torch.full((5,), decreasing))  # the fifth region is empty
    for region in range(4):
        x, y = values[index == region], found[index == region]
        torch.testing.assert_close(torch.stack([y.min(), y.max()]), torch.stack([x.min(), x.max()]))
        steps = y[x.argsort()].diff()
        assert (steps <= 1e-6).all() if decreasing else (steps >= -1e-6).all()


def test_location_and_scale(monkeypatch):
    """With straight curves what is left is one scale and one location for each region, within the range."""
    still(monkeypatch, SCALE=0.1, LOCATION=0.5)
    monkeypatch.setattr(slaug, "bezier_curves", lambda points: torch.linspace(0, 1, KNOTS).expand(len(points), -1))
    torch.manual_seed(0)
    index = torch.arange(300).repeat_interleave(11)
    values = 0.45 + 0.1 * torch.linspace(0, 1, 11).repeat(300)
    found = curved(values, index, 300, torch.zeros(300, dtype=torch.bool)).view(300, 11)
    assert found.min() >= 0
    assert found.max() <= 1
    whole = (found.amin(1) > 0) & (found.amax(1) < 1)
    scale = (found[:, -1] - found[:, 0]) / 0.1
    assert 0.9 - 1e-4 <= scale[whole].min() < 0.92
    assert 1.08 < scale[whole].max() <= 1.1 + 1e-4
    location = found[whole].mean(1) - 0.5 * scale[whole]
    assert location.min() < -0.4
    assert location.max() > 0.4
    mean = found.mean(1)
    assert ((mean >= 0) & (mean <= 1)).all()
    assert (~whole).any()  # a location that is limited lays the mean on the end of the range


@pytest.mark.parametrize("local", [False, True])
def test_one_curve_for_a_scan_or_one_for_each_class(monkeypatch, local):
    still(monkeypatch)
    monkeypatch.setattr(slaug, "LOCAL", float(local))
    torch.manual_seed(0)
    before, labels = scans(), organs()
    after = location_scale_augmentation(before, labels, 3)
    is_monotonic = []
    for scan in range(3):
        for regions in ([0, 1, 2], [0], [1], [2]):
            where = torch.isin(labels[scan], torch.tensor(regions, dtype=labels.dtype))
            steps = after[scan][where][before[scan][where].argsort()].diff()
            rising, falling = bool((steps >= -1e-4).all()), bool((steps <= 1e-4).all())
            is_monotonic.append(rising or falling)
            assert rising or local
            if len(regions) == 1:
                assert rising or falling
            if regions == [0]:
                assert falling == local
    assert all(is_monotonic) != local
    torch.testing.assert_close(after.amin((1, 2, 3, 4)), before.amin((1, 2, 3, 4)))
    torch.testing.assert_close(after.amax((1, 2, 3, 4)), before.amax((1, 2, 3, 4)))


def test_about_half_of_the_organs_are_inverted(monkeypatch):
    still(monkeypatch, LOCAL=1.0)
    torch.manual_seed(0)
    given: list[torch.Tensor] = []
    curve = curved

    def seen(images, index, regions, decreasing):
        given.append(decreasing)
        return curve(images, index, regions, decreasing)

    monkeypatch.setattr(slaug, "curved", seen)
    location_scale_augmentation(torch.rand(200, 2, 1, 4, 4), torch.zeros(200, 1, 1, 4, 4), 3)
    shares = given[0].view(200, 2, 3).float().mean((0, 1))
    assert shares[0] == 1
    assert ((shares[1:] > 0.4) & (shares[1:] < 0.6)).all()


def test_unknown_voxels_count_as_background(monkeypatch):
    still(monkeypatch)
    labels = organs()
    labels[labels == 2] = 5
    torch.manual_seed(0)
    after = location_scale_augmentation(scans(), labels, 3)
    torch.manual_seed(0)
    assert torch.equal(after, location_scale_augmentation(scans(), labels * (labels != 5), 3))


@pytest.mark.parametrize("local", [False, True])
def test_air_keeps_its_intensity_where_each_class_has_a_curve(monkeypatch, local):
    still(monkeypatch, AIR=0.3, LOCATION=0.5, LOCAL=float(local))
    torch.manual_seed(0)
    before = scans()
    least, greatest = before.amin((1, 2, 3, 4), keepdim=True), before.amax((1, 2, 3, 4), keepdim=True)
    air = (before - least) / (greatest - least) <= 0.3
    after = location_scale_augmentation(before, organs(), 3)
    if local:
        torch.testing.assert_close(after[air], before[air])
    else:
        assert (after != before)[air].float().mean() > 0.5
    assert (after != before)[~air].float().mean() > 0.9


def test_a_share_of_the_scans_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(slaug, "SHARE", 0.3)
    torch.manual_seed(0)
    before, labels = scans()[:1].expand(300, -1, -1, -1, -1), organs()[:1].expand(300, -1, -1, -1, -1)
    after = location_scale_augmentation(before, labels, 3)
    kept = sum(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert 0.6 < kept / 300 < 0.8


def test_a_flat_scan_stays_finite():
    flat = torch.ones(2, 1, 4, 8, 8)
    assert torch.isfinite(location_scale_augmentation(flat, torch.zeros_like(flat), 3)).all()


def test_each_channel_has_curves_of_its_own(monkeypatch):
    still(monkeypatch)
    torch.manual_seed(0)
    before = torch.cat([scans(), scans(), 100 * scans()], 1)
    after = location_scale_augmentation(before, organs(), 3)
    torch.testing.assert_close(after.amin((2, 3, 4)), before.amin((2, 3, 4)))
    torch.testing.assert_close(after.amax((2, 3, 4)), before.amax((2, 3, 4)))
    assert not torch.allclose(after[:, 0], after[:, 1])
