import numpy as np
import pytest
import torch

from mass_nnunet.batch import StepContext
from mass_nnunet.losses.signed_distance import signed_distance
from method_checks import INSIDE, PATCH, damage_hidden, gradients, predicted, started, stepped, trained
from tiny_group import CT, MRI


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


def test_trains_its_own_dataset_alone_and_hidden_labels_change_nothing(root):
    one = trained("DTCTrainer")
    assert not (root / "results" / MRI).exists()
    expected = one.module.state_dict()
    scan = torch.randn(1, *PATCH)
    one.set_deep_supervision_enabled(False)
    with torch.no_grad():
        logits = one.network.eval()(scan[None])[0]
    torch.testing.assert_close(predicted(root, CT, "DTCTrainer", scan), logits[INSIDE], atol=1e-2, rtol=1e-2)
    damage_hidden(root)
    for key, value in trained("DTCTrainer").module.state_dict().items():
        assert torch.equal(value, expected[key]), key
