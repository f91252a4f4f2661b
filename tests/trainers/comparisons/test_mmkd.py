import pytest
import torch
from torch import nn

from mass_nnunet.batch import StepContext
from mass_nnunet.losses.distillation import distillation_loss
from method_checks import exported, gradients, started, stepped, trained
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


def test_an_exported_model_is_a_plain_unet_that_was_trained_on_all_modalities(root):
    one = trained("MMKDTrainer", "802")
    card, plain = exported(root, "802", "MMKDTrainer")
    assert CT in card
    assert MRI in card
    for key, value in one.module.unets[1].state_dict().items():
        torch.testing.assert_close(plain[key], value)
