import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from mass_nnunet.losses.distillation import class_means, distillation_loss

SHAPE = (3, 4, 5)


def scans(seed: int, classes: int = 3, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(2, classes, *SHAPE, generator=generator)
    return logits, torch.randint(0, classes, (2, 1, *SHAPE), generator=generator)


def test_means_of_each_class():
    logits, labels = scans(0)
    means, present = class_means(logits, labels)
    for k in range(3):
        torch.testing.assert_close(means[k], logits.movedim(1, -1)[labels[:, 0] == k].mean(0))
    assert present.all()


def test_agrees_with_torch_distributions():
    (a, la), (b, lb) = scans(0, scale=20), scans(1, scale=20)
    expected = 0
    for k in range(3):
        p, q = (Categorical(logits=x.movedim(1, -1)[y[:, 0] == k].mean(0) / 2) for x, y in ((a, la), (b, lb)))
        expected += (kl_divergence(p, q) + kl_divergence(q, p)) / 2 / 3
    assert float(expected) > 0.01
    torch.testing.assert_close(distillation_loss(a, la, b, lb), expected)
    torch.testing.assert_close(distillation_loss(b, lb, a, la), expected)


def test_of_two_opposite_classes():
    labels = torch.zeros(1, 1, *SHAPE)
    logits = torch.zeros(1, 2, *SHAPE)
    logits[:, 0] = 2.0
    # p = (s, 1 - s), q = (1 - s, s) with s = sigmoid(1) at T = 2: either direction is (2 s - 1) log(s / (1 - s)).
    expected = 2 * torch.tensor(1.0).sigmoid() - 1
    assert float(distillation_loss(logits, labels, -logits, labels)) == pytest.approx(float(expected))


def test_a_class_that_one_modality_lacks_is_left_out():
    (a, la), (b, lb) = scans(0), scans(1)
    la = la.clamp_max(1)
    changed = torch.where(lb == 2, b.flip(1), b)
    expected = distillation_loss(a, la, b, lb)
    torch.testing.assert_close(distillation_loss(a, la, changed, lb), expected)
    nothing = distillation_loss(a, torch.zeros_like(la), b, torch.ones_like(lb))
    assert float(nothing) == 0


def test_both_modalities_learn():
    (a, la), (b, lb) = scans(0), scans(1)
    a.requires_grad_()
    b.requires_grad_()
    distillation_loss(a, la, b, lb).backward()
    assert a.grad.abs().sum() > 0
    assert b.grad.abs().sum() > 0
