from dataclasses import replace

import pytest
import torch

from annotated import is_annotated
from mass_nnunet.batch import Layout
from mass_nnunet.labels import UNKNOWN
from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.networks.mass import GroupOutput
from mass_nnunet.objectives.mass import TERMS
from mass_nnunet.training.pseudo_labels import joined
from mass_terms import LAYOUT, OFF, WEIGHTS, atlas_branch, parts_with_gradient, sure, teaching, trained_step
from small_network import PATCH, batch, network, objective, step_labels

REGISTERING = {"encoder 0", "encoder 1", "decoder", "correspondence"}


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("supervised", {"encoder 0", "encoder 1", "decoder", "head"}),
        ("atlas", REGISTERING),
        ("similarity", REGISTERING),
        ("smoothness", REGISTERING),
        ("unfolding", REGISTERING),
        ("semantic", REGISTERING),
        ("anatomical", REGISTERING),
        ("teaching", REGISTERING | {"head"}),
    ],
)
def test_each_term_has_a_gradient_in_every_part_that_it_trains(term, expected):
    weights = OFF if term == "supervised" else OFF | {term: 1.0}
    with_term, _, _ = trained_step(weights)
    if term != "supervised":  # the supervised loss has no weight: take its gradient away
        alone, _, _ = trained_step(OFF)
        for p, q in zip(with_term.parameters(), alone.parameters(), strict=True):
            if p.grad is not None and q.grad is not None:
                p.grad -= q.grad
                p.grad[p.grad.abs() < 1e-7] = 0
    assert parts_with_gradient(with_term) == expected


@pytest.mark.parametrize("kind", ["mse", "kl"])
def test_other_anatomical_losses_train_the_same_parts(kind):
    net, _, value = trained_step(OFF | {"anatomical": 1.0}, anatomical=kind)
    assert torch.isfinite(value)
    assert parts_with_gradient(net) == REGISTERING | {"head"}


@pytest.mark.parametrize("name", ["nmi", "mind"])
def test_images_of_two_modalities_are_compared_if_asked(name):
    net, loss, value = trained_step(OFF | {"inter_modal": 1.0}, inter_modal_similarity=name)
    torch.testing.assert_close(value.detach(), loss.terms["supervised"] + loss.terms["inter_modal"])
    assert any(p.grad.abs().sum() > 0 for p in net.correspondence.parameters())
    _, without, _ = trained_step(OFF)
    assert without.terms["inter_modal"] == 0


def test_the_similarity_is_the_chosen_one():
    values = {
        name: float(trained_step(OFF, similarity=name)[1].terms["similarity"]) for name in ("lncc", "mse", "mind")
    }
    assert len(set(values.values())) == 3


def test_total_is_the_weighted_sum_of_the_terms():
    _, loss, value = trained_step(WEIGHTS)
    assert set(loss.terms) == set(TERMS)
    scale = {"supervised": 1.0} | WEIGHTS
    torch.testing.assert_close(value.detach(), sum(scale[t] * loss.terms[t] for t in scale))


def test_unsupervised_terms_ramp_up():
    torch.manual_seed(0)
    net = network(LAYOUT).train()
    net.active = (0, 1)
    loss = objective(weights=OFF | {"anatomical": 1.0})
    scans, labels = batch(LAYOUT)
    output = net(scans)
    values = []
    for progress in (0.0, 1.0):
        value = loss(output, step_labels(labels, LAYOUT, progress=progress))
        values.append(float((value - loss.terms["supervised"]).detach()))
    assert values[0] == pytest.approx(values[1] * 0.0067379, rel=1e-2)


def test_labels_of_unlabelled_scans_change_nothing_without_a_teacher():
    torch.manual_seed(0)
    net = network(LAYOUT).train()
    net.active = (0, 1)
    loss = objective()
    scans, labels = batch(LAYOUT)
    output = net(scans)
    before = loss(output, step_labels(labels, LAYOUT))
    for level in labels:
        level[[2, 5]] = UNKNOWN
    assert torch.equal(loss(output, step_labels(labels, LAYOUT)), before)


@pytest.mark.parametrize("atlases", [True, False])
def test_the_head_learns_what_teacher_and_atlases_agree_on(atlases):
    teacher, propagated = torch.ones(2, *PATCH).long(), torch.ones(2, *PATCH).long()
    propagated[:, :4] = 2  # they contradict each other
    propagated[:, :, :8] = UNKNOWN  # the teacher alone
    _, (gradient, _) = teaching(propagated, teacher, atlases=atlases)
    hidden = gradient[[2, 5]]
    contradicted = torch.zeros(PATCH, dtype=torch.bool)
    contradicted[:4, 8:] = True
    assert (hidden[:, 1, ~contradicted] < 0).all()  # class 1 is to rise
    assert not hidden[:, :, contradicted].any()


def test_a_head_that_has_learned_no_class_is_taught_none():
    """To a random network the pseudo-labels would say that there is background alone, and be sure of it."""
    everything = torch.full((2, *PATCH), UNKNOWN)
    for teacher in (torch.zeros(2, *PATCH).long(), torch.ones(2, *PATCH).long()):
        _, (untaught, _) = teaching(everything, teacher, atlases=False, taught_from=0.5)
        _, (taught, _) = teaching(everything, teacher, atlases=False)
        assert not untaught.any()
        assert taught[[2, 5]].any()


def test_a_modality_is_taught_the_classes_that_its_head_has_learned():
    """The head finds class 1 in the first modality, class 2 in the second one; the teacher is sure of class 2."""
    scans, labels = batch(LAYOUT)
    logits = torch.zeros(6, 3, *PATCH)
    for modality, learned in enumerate((1, 2)):
        logits[3 * modality : 3 * modality + 2, learned] = 20.0 * (
            labels[0][3 * modality : 3 * modality + 2, 0] == learned
        )
    logits[[2, 5]] = torch.randn(2, 3, *PATCH, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    loss = objective(weights=OFF, taught_from=0.5)
    step = step_labels([labels[0]], LAYOUT, pseudo_labels=sure(torch.full((2, *PATCH), 2)))
    value = loss.compute(GroupOutput(scans.images, [logits], None), [labels[0]], step.context)["teaching"]
    value.backward()
    p = logits.detach()[[2, 5]].softmax(1)
    denied, found = -(1 - p[0, 1]).log().mean(), -p[1, 2].log().mean()  # background or class 2; class 2
    dice = 2 * p[1, 2].sum() / (p[1, 2].sum() + p[1, 2].numel())
    torch.testing.assert_close(value.detach(), (denied + found) / 2 + 1 - dice, atol=1e-4, rtol=1e-4)
    first, second = logits.grad[[2, 5]]
    torch.testing.assert_close(first[0] / first[2], p[0, 0] / p[0, 2], atol=1e-3, rtol=1e-3)  # the two are one class
    assert (second[2] < 0).all()


def test_the_atlas_branch_learns_what_they_say_together():
    torch.manual_seed(1)
    teacher = torch.randint(0, 3, (2, *PATCH))
    value, (_, fields) = teaching(teacher, teacher, atlases=True)
    other, _ = teaching(teacher.roll(1, 1), teacher, atlases=True)
    alone, (_, none) = teaching(teacher, teacher, atlases=False)
    assert value > alone
    assert other != value
    assert none is None
    # Targets are, by modality, a labelled and an unlabelled one, from the atlas of the same modality and the other's.
    reached = fields.flatten(1).abs().sum(1) > 0
    assert reached.tolist() == [False, True] * 4


def test_what_lies_beyond_the_border_of_an_atlas_is_not_compared():
    labels = torch.ones(6, 1, 4, 4, 8).long()
    labels[[0, 2, 3, 5], ..., 6:] = 2  # of the targets; no atlas has this class
    fields = torch.zeros(8, 3, 4, 4, 8)
    _, terms = atlas_branch(labels, fields)
    assert terms["atlas"] == pytest.approx(1 - 2 * 6 / (6 + 8), abs=1e-4)
    fields[:, 2, ..., 6:] = 10  # there, the atlases are seen from beyond their border
    _, terms = atlas_branch(labels, fields)
    assert terms["atlas"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("lacking", ["atlas", "target"])
def test_a_class_that_only_one_of_two_patches_has_moves_nothing(lacking):
    labels = torch.zeros(6, 1, 4, 4, 8).long()
    labels[..., 2:4], labels[[0, 2, 3, 5], ..., 2:4] = 1, 0
    labels[[0, 2, 3, 5], ..., 3:5] = 1
    without = labels.clone()
    labels[[1, 4] if lacking == "target" else [0, 2, 3, 5], ..., 6:] = 2
    for pseudo_labels in (None, one_hot(labels[[2, 5]], 3)):
        fields = (0.3 * torch.randn(8, 3, 4, 4, 8, generator=torch.Generator().manual_seed(0))).requires_grad_()
        atlas_branch(labels, fields, pseudo_labels)[0].backward()
        moved, fields.grad = fields.grad, None
        other = None if pseudo_labels is None else one_hot(without[[2, 5]], 3)
        atlas_branch(without, fields, other)[0].backward()
        assert moved.any()
        assert torch.equal(moved, fields.grad)  # the other class moves all that moves


def test_where_no_class_is_in_both_patches_the_terms_are_zero():
    labels = torch.zeros(6, 1, 4, 4, 8).long()
    labels[[1, 4], ..., 2:4], labels[[0, 2, 3, 5], ..., 2:4] = 1, 2
    fields = torch.zeros(8, 3, 4, 4, 8, requires_grad=True)
    value, terms = atlas_branch(labels, fields, one_hot(labels[[2, 5]], 3))
    value.backward()
    assert terms == {"atlas": 0, "teaching": 0}
    assert not fields.grad.any()


def test_without_a_teacher_nobody_teaches():
    torch.manual_seed(0)
    net = network(LAYOUT).train()
    net.active = (0, 1)
    loss = objective()
    loss(net(batch(LAYOUT)[0]), step_labels(batch(LAYOUT)[1], LAYOUT))
    assert loss.terms["teaching"] == 0


def test_validation_is_nnunets_own_loss():
    net = network(LAYOUT).eval()
    net.active = (0, 1)
    scans, labels = batch(LAYOUT)
    loss = objective()
    output = net(scans.images)
    assert torch.equal(loss(output, labels), loss.supervised(output, labels))


def test_three_modalities():
    layout = Layout(3, 1, 1)
    net, loss, value = trained_step(WEIGHTS, layout=layout)
    assert torch.isfinite(value)
    assert all(torch.isfinite(loss.terms[t]) for t in TERMS)
    assert any(p.grad.abs().sum() > 0 for p in net.unets[2].encoder.parameters())


def test_one_modality_has_no_atlas_of_another_one():
    layout = Layout(1, 2, 1)
    net, loss, value = trained_step(WEIGHTS, layout=layout)
    assert torch.isfinite(value)
    terms = {"supervised", "atlas", "similarity", "smoothness", "unfolding", "teaching"}
    assert {term for term in terms if loss.terms[term] != 0} == terms
    assert all(p.grad is not None for p in net.parameters())


def test_a_borrowed_atlas_is_not_compared_with_an_unlabelled_scan():
    """The similarity is the mean over the other pairs: that unlabelled scan may look like anything."""

    def similarity(layout: Layout, changed: int | None) -> float:
        torch.manual_seed(0)
        net = network(layout).train()
        net.active = (0, 1)
        loss = objective(weights=OFF)
        scans, labels = batch(layout)
        output = net(scans)
        if changed is not None:
            output.scans[changed] = torch.randn_like(output.scans[changed])
        loss(output, step_labels(labels, layout))
        return float(loss.terms["similarity"])

    borrowing = Layout(2, 2, 1, borrowing=(1,))
    assert similarity(borrowing, 5) == similarity(borrowing, None)
    assert similarity(LAYOUT, 5) != similarity(LAYOUT, None)
    for compared in (2, 3):  # the unlabelled scan of the other modality, and a borrowed one
        assert similarity(borrowing, compared) != similarity(borrowing, None)


@pytest.mark.parametrize("term", ["atlas", "teaching", "semantic"])
def test_what_is_not_known_is_in_no_term_of_the_atlases(term):
    """Class shares where it is not known if a voxel is of a class change neither the term nor a gradient."""
    results = []
    for garbage in (0.0, 0.5):
        torch.manual_seed(0)
        net = network(LAYOUT).train()
        net.active = (0, 1)
        scans, labels = batch(LAYOUT)
        taught = sure(torch.randint(0, 3, (2, *PATCH)))
        step = step_labels(labels, LAYOUT, pseudo_labels=joined(taught, labels[0][~is_annotated(LAYOUT)]))
        shares = step.context.shares.clone()
        known = torch.ones_like(shares, dtype=torch.bool)
        known[0, 1, :, :4], known[1, 2, :3], known[4, :, 5:] = False, False, False  # a target and both atlases
        shares[~known] = garbage
        context = replace(step.context, shares=shares, known=known)
        loss = objective(weights=OFF | {term: 1.0})
        loss(net(scans), step._replace(context=context)).backward()
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        results.append([loss.terms[term], *gradients])
        everything = replace(context, known=None)
        assert objective(weights=OFF | {term: 1.0})(net(scans), step._replace(context=everything)) != 0
    assert results[0][0] > 0
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


def test_where_all_is_known_no_term_changes():
    _, loss, value = trained_step(WEIGHTS)
    terms = dict(loss.terms)
    torch.manual_seed(0)
    net = network(LAYOUT).train()
    net.active = (0, 1)
    scans, labels = batch(LAYOUT)
    taught = sure(torch.randint(0, 3, (2, *PATCH)))
    net.correspondence.residuals[-1].field.weight.data *= 10
    step = step_labels(labels, LAYOUT, pseudo_labels=joined(taught, labels[0][~is_annotated(LAYOUT)]))
    known = torch.ones_like(step.context.shares, dtype=torch.bool)
    loss = objective(weights=WEIGHTS)
    again = loss(net(scans), step._replace(context=replace(step.context, known=known)))
    torch.testing.assert_close(again, value)
    assert terms.keys() == loss.terms.keys()
