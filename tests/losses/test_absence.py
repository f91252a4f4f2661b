"""The loss where no organ can be, against closed forms."""

import math

import pytest
import torch

from mass_nnunet.losses.absence import TOLERANCE, absence_loss

SHAPE = (4, 6, 10)


def logits_of(organ: torch.Tensor) -> torch.Tensor:
    """Logits (1, 2, Z, Y, X) of background and one organ with this probability (Z, Y, X)."""
    return torch.stack([1 - organ, organ])[None].log()


def test_a_false_organ_counts_by_itself_and_not_by_the_patch():
    organ = torch.full(SHAPE, 1e-12)
    organ[0, 0, :3] = 0.8
    everywhere = torch.ones(1, 1, *SHAPE)
    expected = -math.log(0.2) * 3 * 0.8 / (3 * 0.8 + TOLERANCE * organ.numel())
    assert float(absence_loss(logits_of(organ), everywhere)) == pytest.approx(expected, rel=1e-4)
    organ[0, :2, :] = 0.8
    larger = absence_loss(logits_of(organ), everywhere)
    assert float(larger) == pytest.approx(-math.log(0.2), rel=0.02)


def test_only_the_region_counts():
    organ = torch.full(SHAPE, 0.5)
    absent = torch.zeros(1, 1, *SHAPE)
    logits = logits_of(organ).requires_grad_()
    absence_loss(logits, absent).backward()
    assert not logits.grad.any()
    absent[..., :4] = 1
    logits.grad = None
    absence_loss(logits, absent).backward()
    assert not logits.grad[..., 4:].any()
    assert (logits.grad[:, 0, ..., :4] < 0).all()  # descent raises the background
    assert (logits.grad[:, 1, ..., :4] > 0).all()


def test_is_the_mean_over_scans_and_zero_for_one_without_region():
    organ = torch.full(SHAPE, 0.9)
    logits = logits_of(organ).repeat(2, 1, 1, 1, 1)
    absent = torch.ones(2, 1, *SHAPE)
    absent[1] = 0
    alone = absence_loss(logits[:1], absent[:1])
    torch.testing.assert_close(absence_loss(logits, absent), alone / 2)


def test_stays_finite_where_the_network_is_sure():
    for organ in (torch.full(SHAPE, 1 - 1e-7), torch.full(SHAPE, 1e-30)):
        logits = logits_of(organ.double()).float().requires_grad_()
        loss = absence_loss(logits, torch.ones(1, 1, *SHAPE))
        loss.backward()
        assert loss.isfinite()
        assert logits.grad.isfinite().all()


def test_half_precision_is_enough():
    organ = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    logits = logits_of(organ)
    absent = organ[None, None] > 0.3
    torch.testing.assert_close(absence_loss(logits.bfloat16(), absent), absence_loss(logits.bfloat16().float(), absent))
