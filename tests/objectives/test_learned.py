import pytest
import torch

from mass_nnunet.batch import Layout
from mass_nnunet.labels import UNKNOWN
from mass_nnunet.losses.overlap import one_hot, soft_dice
from mass_nnunet.objectives.learned import DECAY, LearnedClasses

LAYOUT = Layout(2, 2, 1)
SHAPE = (4, 6, 6)


def scans(seed: int, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(LAYOUT.scans, classes, *SHAPE), torch.randint(0, classes, (LAYOUT.scans, 1, *SHAPE))


def dice_of_modality(logits, labels, number):
    """Soft Dice over all annotated scans of a modality, by the loss's own function."""
    p, y = LAYOUT.annotated(logits.softmax(1))[number], LAYOUT.annotated(one_hot(labels, 3))[number]
    one, other = (x.transpose(0, 1).flatten(1)[None, :, :, None, None] for x in (p, y))
    return soft_dice(one, other)[0]


def test_a_class_is_learned_from_its_soft_dice_on_annotated_scans_on():
    logits, labels = scans(0)
    logits[:3] += 2 * one_hot(labels[:3], 3)  # the first modality is better
    dice = torch.stack([dice_of_modality(logits, labels, m) for m in range(2)])
    for threshold in (*(dice.flatten() - 1e-4), *(dice.flatten() + 1e-4)):
        learned = LearnedClasses(float(threshold))
        learned.update(logits, labels, LAYOUT)
        assert torch.equal(learned.table, dice >= threshold)


def test_unlabelled_scans_and_voxels_of_no_class_do_not_count():
    logits, labels = scans(1)
    dice = dice_of_modality(logits, labels, 0)
    unknown = torch.rand(labels.shape) < 0.3
    for change in ("unlabelled", "unknown"):
        changed, other = logits.clone(), labels.clone()
        if change == "unlabelled":
            changed[[2, 5]], other[[2, 5]] = 50.0, UNKNOWN
        else:
            other[unknown] = UNKNOWN
            p, y = logits.softmax(1) * ~unknown, one_hot(other, 3)
            p, y = LAYOUT.annotated(p)[0][:, 1:], LAYOUT.annotated(y)[0][:, 1:]
            dice = 2 * (p * y).sum((0, 2, 3, 4)) / (p + y).sum((0, 2, 3, 4))
        for shift in (-1e-4, 1e-4):
            learned = LearnedClasses(float(dice.min()) + shift)
            learned.update(changed, other, LAYOUT)
            assert bool(learned.table[0].all()) == (shift < 0)


def test_what_was_seen_before_fades():
    labels = torch.ones(LAYOUT.scans, 1, *SHAPE).long()
    right, wrong = 50 * one_hot(labels, 2), 50 * one_hot(1 - labels, 2)
    learned = LearnedClasses(0.5)
    learned.update(right, labels, LAYOUT)
    steps = 0
    while learned.table.all():
        learned.update(wrong, labels, LAYOUT)
        steps += 1
    # Twice the intersection and the sum of the two are 2 and 2 in the first step, 0 and 1 in the others.
    weights = [DECAY**n for n in range(steps + 1)]
    dice = [2 * weights[n] / (2 * weights[n] + sum(weights[:n])) for n in (steps - 1, steps)]
    assert dice[0] >= 0.5 > dice[1]


def test_before_the_first_step_nothing_is_known():
    with pytest.raises(RuntimeError, match="update"):
        _ = LearnedClasses(0.5).table


def test_it_has_no_gradient():
    logits, labels = scans(3)
    learned = LearnedClasses(0.5)
    learned.update(logits.requires_grad_(), labels, LAYOUT)
    assert not learned.table.requires_grad and logits.grad is None
