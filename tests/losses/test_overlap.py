import pytest
import torch
from monai.losses import DiceLoss

from mass_nnunet.losses import overlap as losses

SHAPE = (6, 8, 8)


def probabilities(seed: int, classes: int = 4) -> torch.Tensor:
    return torch.randn(2, classes, *SHAPE, generator=torch.Generator().manual_seed(seed)).softmax(1)


def test_dice_agrees_with_monai():
    p, q = probabilities(0), probabilities(1)
    expected = DiceLoss(include_background=False, smooth_nr=1e-5, smooth_dr=1e-5)(p, q)
    torch.testing.assert_close(losses.soft_dice_loss(p, q), expected)


def test_dice_of_half_a_box():
    p, q = torch.zeros(1, 2, 4, 4, 4), torch.zeros(1, 2, 4, 4, 4)
    p[:, 1, :2], q[:, 1] = 1, 1
    assert float(losses.soft_dice_loss(p, q)) == pytest.approx(1 - 2 * 32 / (32 + 64), abs=1e-5)
    assert float(losses.soft_dice(p, q, mask=q[:, 1:] * 0 + p[:, 1:])) == pytest.approx(1)


def test_a_class_in_neither_costs_nothing():
    empty = torch.zeros(1, 2, 4, 4, 4)
    assert float(losses.soft_dice_loss(empty, empty)) == 0


def test_pseudo_labels_count_only_where_they_are_confident():
    logits = torch.randn(1, 3, *SHAPE, requires_grad=True)
    label = torch.randint(0, 3, (1, *SHAPE))
    confident = torch.zeros(1, *SHAPE, dtype=torch.bool)
    nothing = losses.confident_label_loss(logits, label, confident)
    nothing.backward()
    assert nothing.item() == 0
    assert float(logits.grad.abs().sum()) == 0
    confident[:, 2, 3, 4] = True
    logits.grad = None
    losses.confident_label_loss(logits, label, confident).backward()
    assert (logits.grad.abs().sum(1) > 0).nonzero().tolist() == [[0, 2, 3, 4]]


def test_pseudo_label_loss_is_cross_entropy_and_dice():
    logits, label = torch.randn(1, 3, *SHAPE), torch.randint(0, 3, (1, *SHAPE))
    everywhere = torch.ones(1, *SHAPE, dtype=torch.bool)
    dice = losses.soft_dice_loss(logits.softmax(1), losses.one_hot(label[:, None], 3))
    expected = torch.nn.functional.cross_entropy(logits, label) + dice
    torch.testing.assert_close(losses.confident_label_loss(logits, label, everywhere), expected)


def test_a_class_that_the_pseudo_label_lacks_is_not_taught_away_by_dice():
    label = torch.zeros(1, *SHAPE, dtype=torch.long)
    label[:, 3:] = 1  # class 2 is absent
    logits = torch.nn.functional.one_hot(label, 3).movedim(-1, 1) * 20.0
    assert float(losses.confident_label_loss(logits, label, label >= 0)) == pytest.approx(0, abs=1e-5)


def test_a_label_that_is_no_class_is_in_no_class():
    labels = torch.tensor([[0, 1, 2], [3, -1, 2**15 - 1]], dtype=torch.int16).view(1, 1, 1, 2, 3)
    hot = losses.one_hot(labels, 3)
    assert hot.dtype == torch.float32
    assert torch.equal(hot[0, :, 0, 0], torch.eye(3))
    assert not hot[0, :, 0, 1].any()


def test_dice_of_the_voxels_that_are_known_of_each_class():
    p, q = probabilities(0), probabilities(1)
    mask = torch.rand(2, 3, *SHAPE, generator=torch.Generator().manual_seed(2)) < 0.5
    together = losses.soft_dice(p, q, mask)
    for k in range(3):
        torch.testing.assert_close(together[:, k], losses.soft_dice(p, q, mask[:, k : k + 1])[:, k])
