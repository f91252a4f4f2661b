import pytest
import torch
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

from mass_nnunet.objectives.marginal import MarginalLoss

SHAPE = (3, 4, 5)
# Three classes; any class (3); background or the second class (4).
TABLE = torch.tensor(
    [[True, False, False], [False, True, False], [False, False, True], [True, True, True], [True, False, True]]
)


def nnunets_loss(batch_dice: bool, ignore: int | None = 3) -> DC_and_CE_loss:
    dice = {"batch_dice": batch_dice, "smooth": 1e-5, "do_bg": False, "ddp": False}
    return DC_and_CE_loss(dice, {}, ignore_label=ignore, dice_class=MemoryEfficientSoftDiceLoss)


def step(loss, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    value = loss(logits, labels)
    value.backward()
    return value.detach(), logits.grad


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize("labels", [3, 4])
def test_without_missing_structures_it_is_nnunets_own(batch_dice, labels):
    """With classes alone, and with ignored voxels."""
    torch.manual_seed(0)
    logits, truth = torch.randn(2, 3, *SHAPE), torch.randint(0, labels, (2, 1, *SHAPE), dtype=torch.int16)
    own = nnunets_loss(batch_dice)
    expected, ours = step(own, logits, truth), step(MarginalLoss(own.dc, TABLE), logits, truth)
    for one, other in zip(expected, ours, strict=True):
        torch.testing.assert_close(one, other)


def test_with_one_structure_annotated_it_is_nnunets_of_that_structure_and_the_rest():
    """Where the second class is never annotated, it and background are one class, whose probabilities add up."""
    torch.manual_seed(0)
    logits, truth = torch.randn(2, 3, *SHAPE), torch.randint(0, 2, (2, 1, *SHAPE))
    partly = torch.where(truth == 0, 4, truth)
    merged = torch.stack([torch.logsumexp(logits[:, [0, 2]], 1), logits[:, 1]], 1)
    expected = nnunets_loss(False, None)(merged, truth)
    # The Dice of the second class, absent from the voxels that are known, is 0: it halves the mean.
    whole = MarginalLoss(nnunets_loss(False).dc, TABLE)(logits, partly)
    entropy = torch.nn.functional.cross_entropy(merged, truth[:, 0])
    torch.testing.assert_close(whole - entropy, (expected - entropy) / 2, atol=1e-5, rtol=0)


def test_what_was_not_annotated_has_no_gradient_between_the_merged_classes():
    """Only the sum of background and the second class matters."""
    torch.manual_seed(0)
    logits = torch.randn(1, 3, *SHAPE)
    labels = torch.randint(0, 2, (1, 1, *SHAPE))
    labels[labels == 0] = 4
    _, gradient = step(MarginalLoss(nnunets_loss(True).dc, TABLE), logits, labels)
    share = logits.softmax(1)[:, [0, 2]]
    unknown = labels[0, 0] == 4
    ratio = gradient[0, [0, 2]][:, unknown] / share[0][:, unknown]
    torch.testing.assert_close(ratio[0], ratio[1], atol=1e-5, rtol=1e-3)
