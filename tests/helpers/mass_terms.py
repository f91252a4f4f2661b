"""Terms of MASSTrainer's objective, of a small random network or of given fields, for tests of what they teach."""

from typing import Any

import torch
from torch import Tensor

from annotated import is_annotated
from mass_nnunet.batch import Layout
from mass_nnunet.hyperparameters import complete
from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.networks.mass import GroupOutput
from mass_nnunet.objectives.mass import MASSObjective
from mass_nnunet.training.pseudo_labels import joined
from small_network import PATCH, batch, network, objective, step_labels

LAYOUT = Layout(2, 2, 1)
WEIGHTS = complete().as_plans()["weights"]
OFF = dict.fromkeys(WEIGHTS, 0.0)


def trained_step(
    weights: dict, seed: int = 0, layout: Layout = LAYOUT, **changes: object
) -> tuple[Any, MASSObjective, Tensor]:
    """One forward and backward pass of a random network with the given weights."""
    torch.manual_seed(seed)
    net: Any = network(layout).train()
    net.active = tuple(range(layout.modalities))
    loss = objective(weights=weights, **changes)
    scans, labels = batch(layout)
    taught = sure(torch.randint(0, 3, (layout.modalities * layout.unlabelled, *PATCH)))
    pseudo_labels = joined(taught, labels[0][~is_annotated(layout)])
    # Fields so wild that they fold.
    net.correspondence.residuals[-1].field.weight.data *= 10
    value = loss(net(scans), step_labels(labels, layout, pseudo_labels=pseudo_labels))
    value.backward()
    return net, loss, value


def sure(labels: Tensor) -> Tensor:
    """Probabilities of a teacher that is certain of labels (B, Z, Y, X)."""
    return 0.9 * one_hot(labels[:, None], 3) + 0.1 / 3


def parts_with_gradient(net: Any) -> set[str]:
    """Names of the parts of a network in which some parameter has a gradient."""
    parts = {
        "encoder 0": net.unets[0].encoder,
        "encoder 1": net.unets[1].encoder,
        "decoder": net.unets[0].decoder.stages,
        "head": net.unets[0].decoder.seg_layers[-1],
        "correspondence": net.correspondence,
    }
    return {
        name
        for name, part in parts.items()
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    }


def teaching(
    propagated: Tensor, teacher: Tensor, *, atlases: bool, taught_from: float = 0.0
) -> tuple[float, list[Tensor | None]]:
    """The teaching term, and its gradients with respect to the head's logits and to the fields.

    Args:
        propagated: propagated labels (2, Z, Y, X) of the two unlabelled scans.
        teacher: labels (2, Z, Y, X) of which the teacher is certain.
        atlases: whether the network has an atlas branch.
        taught_from: soft Dice from which on a class is taught. The network is random and has learned no class.
    """
    torch.manual_seed(0)
    net = network(LAYOUT).train()
    net.active = (0, 1)
    loss = objective(weights=OFF | {"teaching": 1.0}, taught_from=taught_from)
    scans, labels = batch(LAYOUT)
    pseudo_labels = joined(sure(teacher), propagated[:, None])
    output = net(scans)
    logits = torch.zeros_like(output.logits[0], requires_grad=True)
    fields = (3 * torch.randn_like(output.fields)).requires_grad_()
    output = output._replace(logits=[logits, *output.logits[1:]], fields=fields if atlases else None)
    together = loss(output, step_labels(labels, LAYOUT, pseudo_labels=pseudo_labels))
    total = together - loss.supervised([x[[0, 1, 3, 4]] for x in output.logits], [y[[0, 1, 3, 4]] for y in labels])
    total.backward()
    return float(loss.terms["teaching"]), [logits.grad, fields.grad]


def atlas_branch(
    labels: Tensor, fields: Tensor, pseudo_labels: Tensor | None = None
) -> tuple[Tensor, dict[str, float]]:
    """The sum of the atlas and the teaching terms of these fields, and each.

    Args:
        labels: (6, 1, Z, Y, X), on the grid of the fields.
        fields: (8, 3, Z, Y, X).
        pseudo_labels: (2, 3, Z, Y, X).
    """
    scans = torch.zeros(6, 1, *fields.shape[2:])
    # At unlabelled scans the head is as sure as the pseudo-labels, and has no loss there.
    logits = torch.zeros(6, 3, *fields.shape[2:])
    loss = objective(weights=OFF, confidence=1.0)
    context = step_labels([labels, labels], LAYOUT, pseudo_labels=pseudo_labels).context
    terms = loss.compute(GroupOutput(scans, [logits, logits], fields), [labels, labels], context)
    terms = {name: terms[name] for name in ("atlas", "teaching") if name in terms}
    return torch.stack([*terms.values()]).sum(), {name: float(term.detach()) for name, term in terms.items()}
