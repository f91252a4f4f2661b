import pytest
import torch

from mass_nnunet.batch import Layout
from mass_nnunet.networks.views import ViewsOutput
from mass_nnunet.trainers.comparisons import unimatch
from mass_nnunet.trainers.comparisons.unimatch import WEIGHTS, UniMatchObjective, ViewsContext
from method_checks import PATCH, gradients, started, stepped
from tiny_group import CT, annotate_all, entry, with_batch

LAYOUT = Layout(1, 1, 2)


def volume(scans: list[list[list[float]]]) -> torch.Tensor:
    """Logits (B, K, 1, 1, X) of scans as voxels of classes."""
    return torch.tensor(scans).transpose(1, 2)[:, :, None, None].contiguous()


def test_the_terms_in_closed_form():
    """Two unlabelled scans of two voxels. Of the first one organ 1 and background are sure, of the second one
    background, and organ 1 is doubtful. The first view of the first scan shows the second scan at voxel 1.
    """
    weak = volume([[[0, 9], [9, 0]], [[9, 0], [0, 2.9]]])  # sigmoid(2.9) is 0.948
    strong = volume([[[1, 2], [0, 3]], [[3, 0], [1, 1]], [[0, 1], [1, 0.5]], [[2, 1], [0, 2]]]).requires_grad_()
    perturbed = volume([[[0, 0], [1, 0]], [[0.5, 0], [2, 5]]]).requires_grad_()
    boxes = torch.zeros(2, 2, 1, 1, 1, 2, dtype=torch.bool)
    boxes[0, 0, ..., 1] = boxes[0, 1, ..., 0] = True
    annotated = [torch.randn(1, 2, 1, 1, 2)]
    objective = UniMatchObjective(lambda logits, labels: logits[0].sum() * labels[0].sum(), WEIGHTS)
    labels = [torch.tensor([1, 1, 1, 0, 1, 1]).view(3, 1, 1, 1, 2)]
    context = ViewsContext(LAYOUT, 0.5, boxes=boxes)
    terms = objective.compute(ViewsOutput(annotated, weak, strong, perturbed), labels, context)
    assert float(terms["supervised"]) == pytest.approx(2 * float(annotated[0].sum()), abs=1e-5)
    assert float(terms["confident"]) == pytest.approx(1 / 2)

    # View 1: scan 1 is organ, doubtful; scan 2 is organ (of scan 1), doubtful. View 2: organ, background; background.
    # Soft Dice is that of each scan: of those that have organ 1 among their sure labels.
    p = strong.detach().softmax(1)[:, :, 0, 0]  # (scan, class, voxel)
    entropy = -(p[0, 1, 0].log() + p[1, 1, 0].log() + p[2, 1, 0].log() + p[2, 0, 1].log() + p[3, 0, 0].log()) / 5
    dice = [2 * p[0, 1, 0] / (p[0, 1, 0] + 1), 2 * p[1, 1, 0] / (p[1, 1, 0] + 1), 2 * p[2, 1, 0] / (p[2, 1].sum() + 1)]
    torch.testing.assert_close(terms["strong"].detach(), entropy + 1 - sum(dice) / 3, atol=1e-4, rtol=0)

    p = perturbed.detach().softmax(1)[:, :, 0, 0]
    entropy = -(p[0, 1, 0].log() + p[0, 0, 1].log() + p[1, 0, 0].log()) / 3
    dice = 2 * p[0, 1, 0] / (p[0, 1].sum() + 1)
    torch.testing.assert_close(terms["features"].detach(), entropy + 1 - dice, atol=1e-4, rtol=0)

    # A voxel that is not sure teaches nothing.
    (found,) = torch.autograd.grad(terms["features"], perturbed)
    assert found[1, :, ..., 0].all() and not found[1, :, ..., 1].any()
    (found,) = torch.autograd.grad(terms["strong"], strong)
    assert not found[:2, ..., 1].any() and found[:3, ..., 0].all()


def test_without_a_sure_voxel_there_is_nothing_to_learn():
    logits = torch.zeros(2, 2, 1, 1, 2)
    output = ViewsOutput([logits[:1]], logits, logits.repeat(2, 1, 1, 1, 1), logits)
    context = ViewsContext(LAYOUT, 0.5, boxes=torch.zeros(2, 2, 1, 1, 1, 2, dtype=torch.bool))
    objective = UniMatchObjective(lambda *_: torch.zeros(()), WEIGHTS)
    terms = objective.compute(output, [torch.zeros(3, 1, 1, 1, 2)], context)
    assert {name: float(value) for name, value in terms.items()} == dict.fromkeys([*WEIGHTS, "confident"], 0.0)


def test_views_of_unlabelled_scans(root, monkeypatch):
    """The intensities stay here: what a view shows outside of its box is the scan, and inside another one."""
    one = started("UniMatchTrainer")
    batch = next(one.dataloader_train)
    assert len(batch["keys"]) == 4
    annotated, hidden = batch["data"][:2].clone(), batch["data"][2:].clone()
    assert set(batch["keys"][2:]) <= set(entry(root, CT)["unlabelled"])
    monkeypatch.setattr(unimatch, "perturbed", lambda scans: scans)
    monkeypatch.setattr(unimatch, "MIXED", 1.0)
    (images, layout, _), (_, context) = one.prepare(batch).values()
    assert layout is context.layout
    assert images.shape == (2 + 2 + 4, 1, *PATCH)
    assert torch.equal(images[:4], torch.cat([annotated, hidden]))
    assert context.boxes.shape == (2, 2, 1, *PATCH)
    for view, boxes in zip(images[4:].unflatten(0, (2, 2)), context.boxes, strict=True):
        for i in range(2):
            assert torch.equal(view[i], torch.where(boxes[i], hidden[1 - i], hidden[i]))
            assert 0.2 < boxes[i].float().mean() < 0.4
    assert not torch.equal(*context.boxes)


def test_views_have_other_intensities_and_half_of_them_a_box(root):
    one = started("UniMatchTrainer")
    batch = next(one.dataloader_train)
    mixed = []
    for _ in range(20):
        (images, _, _), (_, context) = one.prepare(batch).values()
        mixed += context.boxes.flatten(2).any(2).flatten().tolist()
        strong = images[4:]
        outside = ~context.boxes.flatten(0, 1)
        assert not torch.isclose(strong, images[2:4].repeat(2, 1, 1, 1, 1))[outside].all()
        assert not torch.allclose(strong[:2], strong[2:])
    assert 0.25 < sum(mixed) / len(mixed) < 0.75


def test_a_step_and_what_each_term_teaches(root, monkeypatch):
    monkeypatch.setattr(unimatch, "CONFIDENCE", 0.2)  # an untrained network is sure of nothing
    one = started("UniMatchTrainer")
    batch = next(one.dataloader_train)
    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "strong", "features", "confident"}
    assert result["strong"] > 0 and result["features"] > 0
    expected = result["supervised"] + 0.5 * result["strong"] + 0.5 * result["features"]
    assert float(result["loss"]) == pytest.approx(expected, abs=1e-4)

    # The weights ramp up with the training.
    one.current_epoch = 0
    early = stepped(one, batch)
    weight = 0.5 * 2.718281828**-5
    expected = early["supervised"] + weight * (early["strong"] + early["features"])
    assert float(early["loss"]) == pytest.approx(expected, abs=1e-4)

    data, (labels, context) = one.prepare(batch).values()
    terms = one.loss.compute(one.network(data), labels, context)
    for term in WEIGHTS:
        for part in (one.module.encoder, one.module.decoder.stages, one.module.decoder.seg_layers[-1]):
            assert gradients(terms[term], part) > 0
    assert not terms["confident"].requires_grad


def test_with_one_annotated_scan_a_step_has_two_unlabelled_ones(root):
    with_batch(root, 1)
    one = started("UniMatchTrainer")
    batch = next(one.dataloader_train)
    assert len(batch["keys"]) == 3
    assert stepped(one, batch)["supervised"] != 0


def test_where_all_scans_are_annotated_they_are_taken_as_unlabelled_ones(root):
    annotate_all(root)
    one = started("UniMatchTrainer", fold=1)
    batch = next(one.dataloader_train)
    assert set(batch["keys"]) <= set(entry(root, CT, 1)["train"])
    assert len(batch["keys"]) == 4
    assert stepped(one, batch)["supervised"] != 0


def test_the_labels_of_unlabelled_scans_teach_nothing(root, monkeypatch):
    monkeypatch.setattr(unimatch, "CONFIDENCE", 0.2)
    one = started("UniMatchTrainer")
    data, (labels, context) = one.prepare(next(one.dataloader_train)).values()
    output = one.network(data)
    garbled = [torch.cat([scale[:2], torch.full_like(scale[2:], 3)]) for scale in labels]
    expected, found = (one.loss.compute(output, each, context) for each in (labels, garbled))
    assert expected["strong"] > 0
    assert all(torch.equal(expected[name], found[name]) for name in expected)
