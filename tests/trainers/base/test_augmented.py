import pytest
import torch
import torch.nn.functional as F

from mass_nnunet.training import augmentation, gin, slaug
from tiny_group import trainer

pytestmark = pytest.mark.usefixtures("root")

CONTRASTED = ["MMKDTrainerOrganContrast", "TCSMTrainerOrganContrast", "DTCTrainerOrganContrast"]
PLAIN = [name.removesuffix("OrganContrast") for name in CONTRASTED]


@pytest.mark.parametrize(("name", "changed"), [*((n, True) for n in CONTRASTED), *((n, False) for n in PLAIN)])
def test_the_organs_of_annotated_scans_and_nothing_else_have_another_contrast(name, changed, monkeypatch):
    monkeypatch.setattr(augmentation, "SHARE", 1.0)
    one = trainer(name)
    one.on_train_start()
    batch = next(one.dataloader_train)
    before = batch["data"].clone()
    prepared = one.prepare(batch)
    difference = (prepared["data"] - before).abs()
    layout = prepared["target"].context.layout
    labels = layout.annotated(batch["target"][0]).flatten(0, 1)
    near = F.max_pool3d((labels > 0).float(), (1, 3, 3), 1, (0, 1, 1)) > 0
    annotated = layout.annotated(difference).flatten(0, 1)
    assert bool(annotated[near].any()) == changed
    assert not annotated[~near].any()
    assert not layout.hidden(difference).any()
    assert (layout.unlabelled == 0) == name.startswith("MMKD")


def test_the_strength_is_the_hyperparameter(monkeypatch):
    monkeypatch.setattr(augmentation, "SHARE", 1.0)
    one = trainer("DTCTrainerOrganContrast")
    scans, labels = torch.randn(2, 1, 8, 16, 16), torch.ones(2, 1, 8, 16, 16)
    shift = (one.augmented(scans, labels) - scans).flatten(1).mean(1) / scans.flatten(1).std(1)
    assert shift.abs().min() > 0
    assert shift.abs().max() <= one.hyperparameters.organ_contrast
    object.__setattr__(one.hyperparameters, "organ_contrast", 0.0)
    assert one.augmented(scans, labels) is scans


@pytest.mark.parametrize(
    "name", ["DualStreamTrainerSLAug", "DualStreamTrainerGIN", "MASSTrainerSLAug", "MASSTrainerGIN"]
)
def test_slaug_and_gin_take_the_place_of_random_organ_contrast(name, monkeypatch):
    for module in (slaug, gin):
        monkeypatch.setattr(module, "SHARE", 1.0)
    monkeypatch.setattr("mass_nnunet.trainers.base.augmented.random_organ_contrast", None)
    one = trainer(name)
    one.on_train_start()
    one.network.train()
    batch = next(one.dataloader_train)
    before = batch["data"].clone()
    torch.manual_seed(0)
    data, target = one.prepare(batch).values()
    layout = target.context.layout
    annotated, labels = (layout.annotated(x).flatten(0, 1) for x in (before, target.labels[0]))
    torch.manual_seed(0)
    expected = (
        slaug.location_scale_augmentation(annotated, labels, one.classes)
        if name.endswith("SLAug")
        else gin.random_convolutions(annotated)
    )
    torch.testing.assert_close(layout.annotated(data.images).flatten(0, 1), expected)
    assert not torch.allclose(expected, annotated)
    assert float(one.train_step(batch)["loss"]) > 0
