import math

import pytest
import torch

from mass_nnunet.batch import Layout
from mass_nnunet.objectives.base import Objective, ramp_up
from small_network import step_labels

LAYOUT = Layout(2, 1, 1)


def supervised(logits, labels):
    return sum((x - y).square().mean() for x, y in zip(logits, labels, strict=True))


class Small(Objective):
    MEASURES = ("measure",)

    def compute(self, output, labels, context):
        return {
            "supervised": self.on_labelled(output, labels, context.layout),
            "method": output[0].sum(),
            "measure": output[0].mean(),
        }


def objective(**options):
    return Small(supervised, {"supervised": 1.0, "method": 0.5}, **options)


def batch():
    """Two modalities with a labelled and an unlabelled scan each, at two scales."""
    logits = [torch.full((4, 1, 2, 2, 2), 1.0, requires_grad=True), torch.full((4, 1, 1, 1, 1), 2.0)]
    return logits, [torch.zeros_like(x) for x in logits]


@pytest.mark.parametrize(
    ("options", "progress", "weight"),
    [
        ({}, 0.0, 0.5),
        ({"ramped": ["method"]}, 0.0, 0.5 * math.exp(-5)),
        ({"ramped": ["method"], "ramp": 0.4}, 0.2, 0.5 * math.exp(-1.25)),
        ({"ramped": ["method"], "ramp": 0.4}, 0.4, 0.5),
    ],
)
def test_weighted_sum_of_the_terms(options, progress, weight):
    loss = objective(**options)
    logits, labels = batch()
    assert loss(logits, step_labels(labels, LAYOUT, progress=progress)).item() == pytest.approx(1 + 4 + weight * 32)
    # What is measured for the log has no weight.
    logged = {name: float(value) for name, value in loss.terms.items()}
    assert logged == {"supervised": 5.0, "method": 32.0, "measure": 1.0}
    assert not any(value.requires_grad for value in loss.terms.values())


def test_a_term_without_a_weight_is_an_error():
    """A misspelt weight would otherwise switch a term off without a word."""
    logits, labels = batch()
    loss = Small(supervised, {"supervised": 1.0, "methd": 0.5})
    with pytest.raises(KeyError, match="the term method has no weight"):
        loss(logits, step_labels(labels, LAYOUT))
    with pytest.raises(ValueError, match="methd is to ramp up and has no weight"):
        objective(ramped=["methd"])


def test_labels_of_unlabelled_scans_are_not_looked_at():
    logits, labels = batch()
    for scale in labels:
        scale[[1, 3]] = torch.nan
    assert objective()(logits, step_labels(labels, LAYOUT)).item() == pytest.approx(21)


def test_a_validation_batch_has_nnunets_loss_alone():
    logits, labels = batch()
    labels[0][:, :, 0] = 1.0
    assert float(objective()(logits, labels)) == pytest.approx(0.5 + 4)


@pytest.mark.parametrize(("progress", "expected"), [(0, math.exp(-5)), (0.5, math.exp(-1.25)), (1, 1), (2, 1)])
def test_ramp_up(progress, expected):
    assert ramp_up(progress) == pytest.approx(expected)
