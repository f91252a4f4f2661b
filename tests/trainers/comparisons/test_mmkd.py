import io
import zipfile

import pytest
import torch
from torch import nn

from mass_nnunet.batch import StepContext
from mass_nnunet.cli import main
from mass_nnunet.export.model_card import MODEL_CARD
from mass_nnunet.losses.distillation import distillation_loss
from method_checks import INSIDE, PATCH, damage_hidden, gradients, predicted, started, stepped, trained
from tiny_group import CT, MRI, entry


def normalizations(unet: nn.Module) -> nn.Module:
    return nn.ModuleList(module for module in unet.modules() if isinstance(module, nn.InstanceNorm3d))


def test_a_step_and_what_each_term_teaches(root):
    one = started("MMKDTrainer")
    batch = next(one.dataloader_train)
    allowed = [set(entry(root, name)["train"]) for name in (CT, MRI)]
    assert set(batch["keys"][:2]) <= allowed[0]
    assert set(batch["keys"][2:]) <= allowed[1]
    assert len(batch["keys"]) == 4
    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "distillation"}
    assert result["distillation"] > 0
    expected = result["supervised"] + 0.5 * result["distillation"]
    assert float(result["loss"]) == pytest.approx(expected, abs=1e-4)

    logits, labels = one.network(batch["data"]), batch["target"]
    terms = one.loss.compute(logits, labels, StepContext(one.layout, progress=1.0))
    alone = distillation_loss(logits[0][:2], labels[0][:2], logits[0][2:], labels[0][2:])
    torch.testing.assert_close(terms["distillation"], alone)
    for term in terms.values():
        for unet in one.module.unets:
            assert gradients(term, normalizations(unet)) > 0
            assert gradients(term, unet.encoder) > 0


def test_one_training_two_models_and_hidden_labels_change_nothing(root):
    one = trained("MMKDTrainer", "802")
    expected = one.module.state_dict()
    scan = torch.randn(1, *PATCH)
    one.set_deep_supervision_enabled(False)
    one.network.eval()
    logits = {}
    for modality, dataset in enumerate((CT, MRI)):
        one.activate([modality])
        with torch.no_grad():
            logits[dataset] = one.network(scan[None])[0]
        expected_inside = logits[dataset][INSIDE]
        torch.testing.assert_close(predicted(root, dataset, "MMKDTrainer", scan), expected_inside, atol=1e-2, rtol=1e-2)
    assert not torch.allclose(logits[CT], logits[MRI])
    damage_hidden(root)
    for key, value in trained("MMKDTrainer", "802").module.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_an_exported_model_is_a_plain_unet_that_was_trained_on_all_modalities(root):
    one = trained("MMKDTrainer", "802")
    model = root / "model.zip"
    assert main(["export", "-d", "802", "-tr", "MMKDTrainer", "-o", str(model)]) == 0
    with zipfile.ZipFile(model) as file:
        card = next(file.read(name).decode() for name in file.namelist() if name.endswith(MODEL_CARD))
        weights = next(file.read(name) for name in file.namelist() if name.endswith(".pth"))
    assert CT in card
    assert MRI in card
    plain = torch.load(io.BytesIO(weights), weights_only=True)["network_weights"]
    for key, value in one.module.unets[1].state_dict().items():
        torch.testing.assert_close(plain[key], value)
