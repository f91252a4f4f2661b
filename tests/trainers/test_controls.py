"""The controls from labels alone: one network for all datasets, and one dataset alone."""

import pytest
import torch

from mass_nnunet import trainers
from method_checks import PATCH, exported, stepped, trained
from tiny_group import CT, MRI, entry, trainer


def test_one_network_sees_the_annotated_scans_of_all_datasets(root):
    one = trained("PooledTrainer", "802")
    first, second = one.module.unets
    assert [p.data_ptr() for p in first.parameters()] == [p.data_ptr() for p in second.parameters()]
    assert sum(p.numel() for p in one.network.parameters()) == sum(p.numel() for p in first.parameters())
    batch = next(one.dataloader_train)
    allowed = [set(entry(root, name)["train"]) for name in (CT, MRI)]
    assert len(batch["keys"]) == 4
    assert set(batch["keys"][:2]) <= allowed[0]
    assert set(batch["keys"][2:]) <= allowed[1]


def test_the_gradient_of_the_pooled_network_is_that_of_the_scans_of_all_modalities(root):
    one = trainer("PooledTrainer")
    one.initialize()
    one.network.train()
    first = next(one.module.unets[0].parameters())
    scans = torch.randn(4, 1, *PATCH)
    for part in (slice(0, 2), slice(2, 4)):
        chosen = torch.zeros(4, 1, 1, 1, 1)
        chosen[part] = 1
        output = one.module(one.prepare({"data": scans.clone(), "target": targets(one)})["data"])
        (gradient,) = torch.autograd.grad((output.logits[0] * chosen).square().sum(), first)
        assert gradient.abs().sum() > 0


def targets(one) -> list[torch.Tensor]:
    return [torch.zeros(4, 1, *PATCH, dtype=torch.int16), torch.zeros(4, 1, 8, 8, 8, dtype=torch.int16)]


def test_one_dataset_alone_trains_a_plain_unet_of_its_own(root):
    one = trained("SingleModalityTrainer", "802")
    assert not (root / "results" / CT).exists()
    assert len(one.module.unets) == 1
    batch = next(one.dataloader_train)
    assert len(batch["keys"]) == 2
    assert set(batch["keys"]) <= set(entry(root, MRI)["train"])
    card, plain = exported(root, "802", "SingleModalityTrainer")
    assert MRI in card
    assert CT not in card
    for key, value in one.module.unets[0].state_dict().items():
        torch.testing.assert_close(plain[key], value)

    one.network.train()
    result = stepped(one, batch)
    assert float(result["loss"]) == pytest.approx(result["supervised"], abs=1e-6)


@pytest.mark.parametrize("name", ["PooledTrainer", "SingleModalityTrainer"])
def test_a_control_differs_from_its_twin_in_random_organ_contrast_alone(root, name):
    plain, twin = trainer(name), trainer(f"{name}OrganContrast")
    contrast = (plain.hyperparameters.as_plans(), twin.hyperparameters.as_plans())
    assert [values.pop("organ_contrast") for values in contrast] == [0.0, 1.5]
    assert contrast[0] == contrast[1]
    assert plain.trains_group == twin.trains_group == (name == "PooledTrainer")
    for one in (plain, twin):
        assert type(one).inferences == trainers.DualStreamTrainer.inferences
        assert (
            one.hyperparameters.as_plans() | {"organ_contrast": 0.0}
            == trainer("DualStreamTrainer").hyperparameters.as_plans()
        )
