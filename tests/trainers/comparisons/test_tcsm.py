import pytest
import torch

from mass_nnunet.training.transformations import shown, transform
from method_checks import gradients, model_folder, started, stepped, trained
from tiny_group import CT, trainer


def test_a_step_and_what_it_teaches(root):
    one = started("TCSMTrainer")
    batch = next(one.dataloader_train)
    assert len(batch["keys"]) == 3  # two labelled scans and an unlabelled one
    weights = [[p.clone() for p in one.module.parameters()]]
    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "consistency"}
    assert float(result["loss"]) == pytest.approx(result["supervised"] + result["consistency"], abs=1e-5)

    # The teacher is MASSTrainer's: after the first of steps it is a tenth of the student.
    weights.append([p.clone() for p in one.module.parameters()])
    for weight, before, after in zip(one.teacher.network.parameters(), *weights, strict=True):
        torch.testing.assert_close(weight, 0.1 * before + 0.9 * after)
    assert one.teacher.momentum == 0.99


def test_consistency_is_the_squared_difference_and_teaches_the_student_alone(root):
    one = started("TCSMTrainer")
    batch = next(one.dataloader_train)
    one.train_step(batch)
    logits = one.network(batch["data"])
    labels, context = one.prepare(batch)["target"]
    consistency = one.loss.compute(logits, labels, context)["consistency"]
    turned = transform(logits[0].softmax(1), context.transformations)
    seen = shown(turned.shape[2:], context.transformations).expand_as(turned)
    assert 0.5 < seen.float().mean() < 1
    expected = (turned - context.expected)[seen].square().mean()
    torch.testing.assert_close(consistency, expected)
    assert consistency.item() > 0
    for part in (one.module.encoder, one.module.decoder.stages, one.module.decoder.seg_layers[-1]):
        assert gradients(consistency, part) > 0
    assert not context.expected.requires_grad
    trained_ones = {id(p) for group in one.optimizer.param_groups for p in group["params"]}
    assert trained_ones == {id(p) for p in one.module.parameters()}
    assert not any(p.requires_grad for p in one.teacher.network.parameters())


def test_a_resumed_training_makes_its_teacher_from_the_student(root):
    one = trained("TCSMTrainer")
    again = trainer("TCSMTrainer", continue_training=True)
    checkpoint = model_folder(root, CT, "TCSMTrainer") / "fold_0" / "checkpoint_final.pth"
    again.load_checkpoint(str(checkpoint))
    assert again.current_epoch == 1
    again.on_train_start()
    for weight, student in zip(again.teacher.network.parameters(), one.module.parameters(), strict=True):
        assert torch.equal(weight, student)
    again.network.train()
    again.train_step(next(again.dataloader_train))
