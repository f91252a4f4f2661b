import pytest
import torch

from mass_nnunet.trainers.comparisons import bcp
from method_checks import PATCH, gradients, started, stepped
from tiny_group import CT, annotate_all, entry, trainer


def taught(name: str = "BCPTrainer"):
    """A trainer after its first phase."""
    one = started(name)
    one.on_train_epoch_start()
    return one


def test_as_many_unlabelled_scans_as_annotated_ones_and_a_teacher_after_the_first_phase(root):
    one = started("BCPTrainer")
    assert len(next(one.dataloader_train)["keys"]) == 4
    one.current_epoch = 0
    one.on_train_epoch_start()
    assert one.teacher is None
    one.current_epoch = one.num_epochs
    one.on_train_epoch_start()
    for ours, its in zip(one.module.parameters(), one.teacher.network.parameters(), strict=True):
        assert torch.equal(ours, its)
    assert one.teacher.momentum == 0.99
    before = one.teacher
    one.on_train_epoch_start()
    assert one.teacher is before


def test_at_first_annotated_scans_are_mixed_with_each_other(root):
    one = started("BCPTrainer")
    batch = next(one.dataloader_train)
    scans, labels = batch["data"][:2].clone(), batch["target"][0][:2].clone()
    data, (known, context) = one.prepare(batch).values()
    assert context.pseudo is None
    for i in range(2):
        own = data[i] == scans[i]
        assert torch.equal(data[i], torch.where(own, scans[i], scans[1 - i]))
        assert torch.equal(known[0][i], torch.where(own, labels[i], labels[1 - i]))
    result = stepped(one, batch)
    assert result["pseudo"] == 0
    assert float(result["loss"]) == pytest.approx(result["supervised"], abs=1e-5)


def test_then_each_is_mixed_with_an_unlabelled_scan_inside_or_outside_of_a_box(root, monkeypatch):
    one = taught()
    batch = next(one.dataloader_train)
    scans, labels = batch["data"].clone(), batch["target"][0].clone()
    boxes = bcp.random_boxes(2, PATCH, torch.device("cpu"))
    monkeypatch.setattr(bcp, "random_boxes", lambda *_: boxes)
    pseudo = bcp.largest_components(one.teacher(scans[2:]).argmax(1, keepdim=True).to(labels.dtype), one.classes)
    data, (known, context) = one.prepare(batch).values()
    unknown = torch.full_like(labels[0], one.classes)
    for i, annotated in enumerate((boxes[0], ~boxes[1])):
        assert torch.equal(data[i], torch.where(annotated, scans[i], scans[2 + i]))
        assert torch.equal(known[0][i], torch.where(annotated, labels[i], unknown))
        assert torch.equal(context.pseudo[0][i], torch.where(annotated, unknown, pseudo[i]))
    assert [scale.shape for scale in known] == [scale[:2].shape for scale in batch["target"]]
    assert [scale.shape for scale in context.pseudo] == [scale[:2].shape for scale in batch["target"]]


def test_labels_at_coarser_scales_are_nnunets_own(root):
    one = started("BCPTrainer")
    for batch in (next(one.dataloader_train) for _ in range(3)):
        shapes = [scale.shape[2:] for scale in batch["target"]]
        for found, expected in zip(bcp.at_scales(batch["target"][0][:2], shapes), batch["target"], strict=True):
            assert torch.equal(found, expected[:2])


def test_the_loss_of_a_part_is_nnunets_loss_of_it(root):
    """On the whole patch it is nnU-Net's own, and the logits of the other part have no gradient."""
    one = taught()
    batch = next(one.dataloader_train)
    output = [logits.detach().requires_grad_() for logits in one.module(batch["data"][:2])]
    labels = [scale[:2].clone() for scale in batch["target"]]
    torch.testing.assert_close(one.loss.partial(output, labels), one.loss.supervised(output, labels))
    for scale in labels:
        scale[..., : scale.shape[-1] // 2] = one.classes
    gradient = torch.autograd.grad(one.loss.partial(output, labels), output[0])[0]
    assert not gradient[..., :8].any()
    assert gradient[..., 8:].all()


def test_a_step_and_what_each_term_teaches(root):
    one = taught()
    batch = next(one.dataloader_train)
    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "pseudo"}
    assert result["pseudo"] > 0
    assert float(result["loss"]) == pytest.approx(result["supervised"] + 0.5 * result["pseudo"], abs=1e-4)
    data, (known, context) = one.prepare(batch).values()
    terms = one.loss.compute(one.network(data), known, context)
    for term in terms.values():
        for part in (one.module.encoder, one.module.decoder.stages, one.module.decoder.seg_layers[-1]):
            assert gradients(term, part) > 0
    assert not any(p.requires_grad for p in one.teacher.network.parameters())


def test_a_training_goes_on_with_its_teacher(root):
    one = taught()
    one.train_step(next(one.dataloader_train))
    one.save_checkpoint(str(root / "checkpoint_latest.pth"))
    again = trainer("BCPTrainer", continue_training=True)
    again.load_checkpoint(f"{one.output_folder}/checkpoint_latest.pth")
    again.on_train_start()
    assert again.teacher is None
    again.on_train_epoch_start()
    assert again.teacher.steps == 1
    for ours, its in zip(one.teacher.network.parameters(), again.teacher.network.parameters(), strict=True):
        assert torch.equal(ours, its)


def test_no_scan_with_annotations_gets_pseudo_labels(root):
    annotate_all(root)
    one = started("BCPTrainer", fold=1)
    one.on_train_epoch_start()
    assert one.teacher is None
    batch = next(one.dataloader_train)
    assert set(batch["keys"]) <= set(entry(root, CT, 1)["train"])
    assert len(batch["keys"]) == 2
    assert stepped(one, batch)["pseudo"] == 0
