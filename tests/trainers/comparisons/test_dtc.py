import numpy as np
import pytest
import torch

from mass_nnunet.batch import StepContext
from mass_nnunet.losses.signed_distance import signed_distance
from method_checks import gradients, started, stepped


def test_a_step_and_what_each_term_teaches(root):
    one = started("DTCTrainer")
    batch = next(one.dataloader_train)
    *labels, distances = batch["target"]
    assert len(batch["keys"]) == 3  # two labelled scans and an unlabelled one
    spacing = one.configuration_manager.spacing
    for scan in range(2):
        for k in range(1, len(one.label_manager.all_labels)):
            expected = signed_distance(labels[0][scan, 0].numpy() == k, spacing)
            np.testing.assert_array_equal(distances[scan, k - 1].numpy(), expected)
    assert (distances < 0).any()

    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "distance", "consistency"}
    expected = result["supervised"] + 0.3 * result["distance"] + result["consistency"]
    assert float(result["loss"]) == pytest.approx(expected, abs=1e-4)

    net = one.module
    with torch.no_grad():
        for parameter in net.distance.parameters():
            parameter *= 1e-3  # distances small enough for the steep sigmoid to have a slope
    context = StepContext(one.layout, progress=1.0)
    terms = one.loss.compute(net(batch["data"]), batch["target"], context)
    segmentation, distance = net.decoder.seg_layers[-1], net.distance
    reached = {
        name: tuple(gradients(term, part) > 0 for part in (net.encoder, net.decoder.stages, segmentation, distance))
        for name, term in terms.items()
    }
    assert reached == {
        "supervised": (True, True, True, False),
        "distance": (True, True, False, True),
        "consistency": (True, True, True, True),
    }


def test_validation_has_nnunets_loss_alone(root):
    one = started("DTCTrainer")
    one.network.eval()
    batch = next(one.dataloader_val)
    with torch.no_grad():
        expected = one.loss.supervised(one.network(batch["data"]), batch["target"])
        assert float(one.validation_step(batch)["loss"]) == pytest.approx(float(expected))
