import pytest
import torch

from mass_nnunet.batch import Scans
from mass_nnunet.losses.deformation import diffusion_loss
from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.losses.similarity import SIMILARITIES
from mass_nnunet.networks.pair import PairOutput
from mass_nnunet.objectives.registration import RegistrationObjective
from small_network import CLASSES, PATCH, step_labels
from small_pair import LAYOUT, pair_net

WEIGHTS = {"similarity": 1.0, "smoothness": 0.5, "image_cycle": 0.25, "anatomy_cycle": 2.0}


def objective(weights: dict, similarity: str = "lncc") -> RegistrationObjective:
    return RegistrationObjective(None, CLASSES, similarity, dict.fromkeys(WEIGHTS, 0.0) | weights)


def trained_step(weights: dict, *, backward: bool, similarity: str = "lncc"):
    net = pair_net(backward=backward).train()
    for pair in filter(None, (net.pair, net.backward_pair)):
        torch.nn.init.normal_(pair.decoder.seg_layers[0].weight, std=0.1)
    loss = objective(weights, similarity)
    scans = torch.randn(3, 1, *PATCH)
    labels = torch.randint(0, CLASSES, (3, 1, *PATCH))
    value = loss(net(Scans(scans, LAYOUT)), step_labels([labels], LAYOUT))
    value.backward()
    return net, loss, value, (scans, labels)


def has_gradient(part: torch.nn.Module) -> bool:
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


@pytest.mark.parametrize(
    ("term", "backward_learns"),
    [("similarity", False), ("smoothness", True), ("image_cycle", True), ("anatomy_cycle", True)],
)
def test_each_term_has_a_gradient_in_every_part_that_it_trains(term, backward_learns):
    net, _, _, _ = trained_step({term: 1.0}, backward=True)
    assert has_gradient(net.pair.encoder)
    assert has_gradient(net.pair.decoder.stages)
    assert has_gradient(net.backward_pair) == backward_learns


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_every_similarity_trains_the_network(similarity):
    net, _, value, (scans, _) = trained_step({"similarity": 1.0}, backward=False, similarity=similarity)
    assert has_gradient(net.pair.encoder)
    with torch.no_grad():
        expected = SIMILARITIES[similarity](net(Scans(scans, LAYOUT)).warped, scans[[0, 2]])
    torch.testing.assert_close(value.detach(), expected)


def test_a_term_without_a_weight_is_an_error():
    net, _, _, (scans, labels) = trained_step(WEIGHTS, backward=True)
    loss = RegistrationObjective(None, CLASSES, "lncc", {"similarity": 1.0, "smothness": 1.0})
    with pytest.raises(KeyError, match="has no weight"):
        loss(net(Scans(scans, LAYOUT)), step_labels([labels], LAYOUT))


def test_total_is_the_weighted_sum_of_the_terms():
    _, loss, value, _ = trained_step(WEIGHTS, backward=True)
    assert set(loss.terms) == {*WEIGHTS, "folding"}
    torch.testing.assert_close(value.detach(), sum(WEIGHTS[name] * loss.terms[name] for name in WEIGHTS))


def test_labels_of_targets_change_nothing():
    net, loss, value, (scans, labels) = trained_step(WEIGHTS, backward=True)
    other = labels.clone()
    other[[0, 2]] = (labels[[0, 2]] + 1) % CLASSES
    assert torch.equal(loss(net(Scans(scans, LAYOUT)), step_labels([other], LAYOUT)), value)
    other[1] = (labels[1] + 1) % CLASSES
    assert not torch.equal(loss(net(Scans(scans, LAYOUT)), step_labels([other], LAYOUT)), value)


def test_without_a_cycle_no_label_counts():
    net, loss, value, (scans, labels) = trained_step({"similarity": 1.0, "smoothness": 1.0}, backward=False)
    assert loss.terms["image_cycle"] == loss.terms["anatomy_cycle"] == 0
    assert torch.equal(loss(net(Scans(scans, LAYOUT)), step_labels([(labels + 1) % CLASSES], LAYOUT)), value)


def shift(voxels: float, *, folded: bool = False) -> torch.Tensor:
    field = torch.zeros(2, 3, *PATCH)
    field[:, 2] = voxels
    if folded:
        field[:, 2, ..., 8:] -= 2 * torch.arange(8)
    return field


def cycle(back: float) -> dict[str, float]:
    """The terms where the atlas is shifted by two voxels, and then back by ``back``."""
    scans = torch.zeros(3, 1, *PATCH)
    scans[1, ..., 6:10] = 1.0  # an organ that is nowhere near the border
    labels = scans.long()
    output = PairOutput(scans, shift(2), torch.roll(scans[[1, 1]], -2, 4), shift(back))
    loss = objective(WEIGHTS)
    loss(output, step_labels([labels], LAYOUT))
    return {name: float(value) for name, value in loss.terms.items()}


def test_a_closed_cycle_costs_nothing():
    terms = cycle(-2)
    assert terms["image_cycle"] == pytest.approx(0, abs=1e-6)
    assert terms["anatomy_cycle"] == pytest.approx(0, abs=1e-5)
    assert terms["smoothness"] == terms["folding"] == 0


def test_a_cycle_that_ends_two_voxels_beside():
    terms = cycle(0)
    # Two columns of sixteen are missed on either side. Of four columns two overlap; the absent class costs nothing.
    assert terms["image_cycle"] == pytest.approx(4 / 16)
    assert terms["anatomy_cycle"] == pytest.approx(0.5 / 2, abs=1e-4)


def test_folding_and_the_smoothness_of_both_fields():
    scans = torch.randn(3, 1, *PATCH)
    loss = objective(WEIGHTS)
    output = PairOutput(scans, shift(0, folded=True), scans[[1, 1]], shift(0))
    loss(output, step_labels([torch.zeros(3, 1, *PATCH).long()], LAYOUT))
    assert float(loss.terms["folding"]) == pytest.approx(7 / 15)
    assert float(loss.terms["smoothness"]) == pytest.approx(float(diffusion_loss(shift(0, folded=True))) / 2)


def test_validation_is_the_dice_of_the_propagated_labels():
    labels = torch.randint(0, CLASSES, (2, 1, *PATCH))
    right = 20 * one_hot(labels, CLASSES)
    assert float(objective(WEIGHTS)([right], [labels])) == pytest.approx(0, abs=1e-4)
    assert float(objective(WEIGHTS)([right.roll(1, 1)], [labels])) == pytest.approx(1, abs=1e-2)


def labelled(field: torch.Tensor, labels: torch.Tensor) -> float:
    """The term ``dice`` of a field to one annotated target and an unlabelled one."""
    scans = torch.randn(3, 1, *PATCH)
    loss = RegistrationObjective(None, CLASSES, "lncc", {"similarity": 0.0, "smoothness": 0.0, "dice": 1.0})
    output = PairOutput(scans, field, scans[[1, 1]])
    return float(loss(output, step_labels([labels], LAYOUT)))


def organ(start: int, klass: int = 1) -> torch.Tensor:
    labels = torch.zeros(1, 1, *PATCH, dtype=torch.long)
    labels[..., start : start + 4] = klass
    return labels


def test_dice_is_that_of_the_labels_of_the_warped_atlas_and_of_annotated_targets():
    target, atlas, hidden = organ(6), organ(8), organ(0, 2)
    labels = torch.cat([target, atlas, hidden])  # in the order of the layout; atlas is the last annotated one
    assert labelled(shift(2), labels) == pytest.approx(0, abs=1e-4)  # two columns to the left
    assert labelled(shift(0), labels) == pytest.approx(1 - 2 * 2 / 8, abs=1e-4)  # two of four columns overlap
    assert labelled(shift(0), torch.cat([target, atlas, organ(8)])) == labelled(shift(0), labels)
    assert labelled(shift(0), torch.cat([organ(6, 2), atlas, hidden])) == 0  # no class that both have


def test_unknown_voxels_do_not_count_in_the_dice():
    target, atlas = organ(6), organ(8)
    unknown = torch.where(torch.arange(PATCH[2]) >= 8, CLASSES, target)
    # The two columns that the target does not know leave 2 of its own against none of the atlas.
    assert labelled(shift(0), torch.cat([unknown, atlas, organ(0)])) == pytest.approx(1, abs=1e-3)
    known_by_atlas = torch.where(torch.arange(PATCH[2]) < 8, CLASSES, atlas)
    # Of the atlas 8 to 11 are left, of the target 8 and 9.
    assert labelled(shift(0), torch.cat([target, known_by_atlas, organ(0)])) == pytest.approx(1 - 4 / 6, abs=1e-3)


def test_dice_teaches_every_part_of_the_forward_network():
    net = pair_net(backward=False).train()
    torch.nn.init.normal_(net.pair.decoder.seg_layers[0].weight, std=0.1)
    loss = RegistrationObjective(None, CLASSES, "lncc", {"similarity": 0.0, "smoothness": 0.0, "dice": 1.0})
    labels = torch.randint(0, CLASSES, (3, 1, *PATCH))
    loss(net(Scans(torch.randn(3, 1, *PATCH), LAYOUT)), step_labels([labels], LAYOUT)).backward()
    for part in (net.pair.encoder, net.pair.decoder.stages, net.pair.decoder.seg_layers):
        assert has_gradient(part)
