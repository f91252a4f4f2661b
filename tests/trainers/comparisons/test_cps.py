import pytest
import torch
import torch.nn.functional as F

from mass_nnunet.batch import StepContext
from mass_nnunet.trainers.comparisons.cps import pseudo_supervision
from method_checks import gradients, started, stepped


def test_pseudo_supervision_is_cross_entropy_and_dice_of_the_classes_that_there_are():
    """Two voxels, of classes 0 and 1 by the teacher; class 2 is absent from its labels."""
    student = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).view(1, 3, 1, 1, 2).requires_grad_()
    teacher = torch.tensor([[5.0, 0.0], [0.0, 0.1], [0.0, 0.0]]).view(1, 3, 1, 1, 2).requires_grad_()
    p = student.detach().softmax(1).flatten(2)[0]  # (classes, voxels)
    entropy = -(p[0, 0].log() + p[1, 1].log()) / 2
    dice = 2 * p[1, 1] / (p[1].sum() + 1)
    loss = pseudo_supervision(student, teacher)
    torch.testing.assert_close(loss.detach(), entropy + 1 - dice, atol=1e-4, rtol=0)
    loss.backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_a_step_and_what_each_term_teaches(root):
    one = started("CPSTrainer")
    batch = next(one.dataloader_train)
    assert len(batch["keys"]) == 3  # two labelled scans and an unlabelled one
    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "cross"}
    assert float(result["loss"]) == pytest.approx(result["supervised"] + 0.1 * result["cross"], abs=1e-4)

    first, second = one.module.unets
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
    output = one.network(batch["data"])
    terms = one.loss.compute(output, batch["target"], StepContext(one.layout, progress=1.0))
    for term in terms.values():
        for unet in (first, second):
            for part in (unet.encoder, unet.decoder.stages, unet.decoder.seg_layers[-1]):
                assert gradients(term, part) > 0
    both = [F.one_hot(logits[0].argmax(1), logits[0].shape[1]).movedim(-1, 1) * 50.0 for logits in output]
    same = one.loss.compute(([both[0]] * 2, [both[0]] * 2), batch["target"], StepContext(one.layout, progress=1.0))
    assert float(same["cross"]) == pytest.approx(0, abs=1e-4)  # two that agree and are sure have nothing to learn

    # The weight ramps up with the training.
    one.current_epoch = 0
    early = stepped(one, next(one.dataloader_train))
    assert float(early["loss"]) == pytest.approx(early["supervised"] + 0.1 * early["cross"] * 2.718281828**-5, abs=1e-4)
