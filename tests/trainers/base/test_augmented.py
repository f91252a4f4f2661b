import numpy as np
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
    one = trainer(name, "802")
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


def seed():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from


def dataset_trainers(name="DualStreamTrainerOrganContrast"):
    """The trainers of CT and MRI."""
    one = trainer(name)
    one.initialize()
    return one.dataset_trainers


@pytest.fixture
def organs(monkeypatch):
    """Two scans of random intensities with an organ each, all of which get random organ contrast."""
    monkeypatch.setattr(augmentation, "SHARE", 1.0)
    torch.manual_seed(0)
    return torch.randn(2, 1, 8, 16, 16), torch.ones(2, 1, 8, 16, 16)


def test_the_strength_in_mri_is_the_hyperparameter(organs):
    _, mri = dataset_trainers()
    scans, labels = organs
    shift = (mri.augmented(scans, labels) - scans).flatten(1).mean(1) / scans.flatten(1).std(1)
    assert shift.abs().min() > 0
    assert shift.abs().max() <= mri.hyperparameters.organ_contrast


def test_of_a_scan_with_a_channel_of_ct_the_others_are_changed(organs):
    _, mri = dataset_trainers()
    mri.dataset_json["channel_names"] = {"0": "MRI", "1": "CT"}
    scans = organs[0].repeat(1, 2, 1, 1, 1)
    changed = mri.augmented(scans, organs[1])
    assert (changed[:, 0] != scans[:, 0]).all()
    assert torch.equal(changed[:, 1], scans[:, 1])


def test_without_the_hyperparameter_no_scan_is_changed(organs):
    for one in dataset_trainers():
        object.__setattr__(one.hyperparameters, "organ_contrast", 0.0)
        assert one.augmented(*organs) is organs[0]


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
    seed()
    data, target = one.prepare(batch).values()
    layout = target.context.layout
    annotated, labels = (layout.annotated(x) for x in (before, target.labels[0]))
    ct, mri = annotated
    seed()
    expected = (
        slaug.location_scale_augmentation(mri, labels[1], one.classes)
        if name.endswith("SLAug")
        else gin.random_convolutions(mri)
    )
    torch.testing.assert_close(layout.annotated(data.images), torch.stack([ct, expected]))
    assert not torch.allclose(expected, mri)
    assert float(one.train_step(batch)["loss"]) > 0


@pytest.mark.parametrize("kind", ["OrganContrast", "SLAug", "GIN"])
def test_each_kind_spares_ct_unless_asked_for(kind, organs, monkeypatch):
    for module in (slaug, gin):
        monkeypatch.setattr(module, "SHARE", 1.0)
    ct, mri = dataset_trainers(f"DualStreamTrainer{kind}")
    assert ct.augmented(*organs) is organs[0]
    assert not torch.equal(mri.augmented(*organs), organs[0])
    object.__setattr__(ct.hyperparameters, "organ_contrast_in_ct", True)
    assert not torch.equal(ct.augmented(*organs), organs[0])
