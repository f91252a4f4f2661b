"""The common behaviour of the methods; the tests of MASSTrainer cover the rest."""

import pickle

import numpy as np
import pytest
import torch

from tiny_group import trainer

pytestmark = pytest.mark.usefixtures("root")


@pytest.mark.parametrize("name", ["TCSMTrainer", "DTCTrainer", "MMKDTrainer"])
def test_optimizer_augmentation_and_schedule_are_those_of_mass(name):
    mass, one = trainer("MASSTrainer"), trainer(name)
    for each in (mass, one):
        each.initialize()
    assert type(one.optimizer) is type(mass.optimizer)
    assert type(one.lr_scheduler) is type(mass.lr_scheduler)
    assert one.optimizer.defaults == mass.optimizer.defaults
    assert (
        one.configure_rotation_dummyDA_mirroring_and_inital_patch_size()[0]
        == (mass.configure_rotation_dummyDA_mirroring_and_inital_patch_size()[0])
    )
    assert one.inference_allowed_mirroring_axes is None
    for attribute in ("num_epochs", "num_iterations_per_epoch", "batch_size", "initial_lr"):
        assert getattr(one, attribute) == getattr(mass, attribute)


@pytest.mark.parametrize("name", ["MASSTrainer", "DTCTrainer", "VoxelMorphTrainer"])
@pytest.mark.parametrize(("key", "value"), [("inference", "fuse"), ("modalities", "CT"), ("regions", [1])])
def test_no_network_by_plans_of_another_form(name, key, value):
    """nnU-Net's own commands build it to predict, with no check before."""
    one = trainer(name)
    one.plans_manager.plans["mass"] |= {key: value}
    measures = (one.plans_manager, one.configuration_manager, 1, 5, False)
    with pytest.raises(SystemExit, match=rf"^error: plans.json has mass.{key} .*, which is of another form: get the "):
        type(one).build_network_architecture(*measures)


@pytest.mark.parametrize("name", ["MASSTrainer", "DTCTrainer", "SelfTrainingTrainer"])
def test_loaders_can_be_sent_to_workers(name):
    """Workers are forked on Linux. On Windows and macOS they are new processes, which get their loaders by pickle."""
    one = trainer(name)
    one.initialize()
    loaders = [each.data_loader for each in one.get_dataloaders()]
    batches = []
    for several in (loaders, pickle.loads(pickle.dumps(loaders))):
        np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
        torch.manual_seed(0)
        batches.append([next(loader) for loader in several])
    for batch, its_copy in zip(*batches, strict=True):
        assert batch["keys"] == its_copy["keys"]
        assert torch.equal(batch["data"], its_copy["data"])


def test_on_a_cpu_narrow_convolutions_and_no_others_have_the_channels_of_a_voxel_together():
    mass = trainer("MASSTrainer")
    mass.initialize()
    kernels = {"narrow": [], "wide": []}
    for module in mass.module.modules():
        # A kernel of one channel or one voxel is stored the same in both formats.
        if isinstance(module, torch.nn.Conv3d) and module.in_channels > 1 and max(module.kernel_size) > 1:
            kernels["narrow" if module.out_channels < 16 else "wide"].append(module.weight)
    assert {min(p.shape[2:]) for p in kernels["narrow"]} == {1, 3}  # flat and cubic ones
    assert kernels["wide"]
    assert all(p.is_contiguous(memory_format=torch.channels_last_3d) for p in kernels["narrow"])
    assert all(p.is_contiguous() for p in kernels["wide"])
