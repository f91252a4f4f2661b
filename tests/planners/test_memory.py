"""planners/memory.py, against nnU-Net's own limits, and against the tensors of a training step on the CPU."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from live_memory import LiveMemory
from mass_nnunet.batch import Layout
from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from mass_nnunet.networks.blocks import NATIVE_BFLOAT16
from mass_nnunet.planners.memory import KEPT, WEIGHT, Memory, memory_of_plans, training_memory
from quick_planning import plan_quickly
from small_network import unet
from tiny_group import CONFIGURATION, CT, MRI, trainer, use_folders
from tiny_raw import write_raw_dataset

STOCK = Layout(1, 2, 0)  # a batch of 2
GROUP = Layout(2, 2, 1)


def architecture(kind: str = "PlainConvUNet", features: Sequence[int] = (32, 64, 128, 256, 320, 320)) -> dict:
    """nnU-Net's network for an isotropic grid."""
    count = len(features)
    blocks = {"PlainConvUNet": [2] * count, "ResidualEncoderUNet": [1, 3, 4, 6, 6, 6][:count]}[kind]
    key = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}[kind]
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
        "_kw_requires_import": ["conv_op", "norm_op", "nonlin"],
        "arch_kwargs": {
            "n_stages": count,
            "features_per_stage": list(features),
            "conv_op": "torch.nn.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * count,
            "strides": [[1, 1, 1], *[[2, 2, 2]] * (count - 1)],
            key: blocks,
            "n_conv_per_stage_decoder": [blocks[0]] * (count - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
    }


def memory(network: dict, edge: int, layout: Layout = STOCK, correspondence_channels: int = 0) -> Memory:
    atlases = 5 if correspondence_channels else 0
    heads = {"correspondence_channels": correspondence_channels, "atlases": atlases}
    return training_memory(network, [edge] * 3, layout, channels=1, classes=3, **heads)


@pytest.mark.parametrize(
    ("kind", "limit", "gigabytes", "tolerance"),
    [
        ("PlainConvUNet", 5.6e8, 8, 0.1),  # what ALLOWANCE is taken from
        ("ResidualEncoderUNet", 6.8e8, 10, 0.2),  # ResEncM is "9-11 GB" in nnU-Net's description
        ("ResidualEncoderUNet", 2.1e9, 24, 0.3),
    ],
)
def test_the_largest_patches_of_nnunets_own_planners_take_the_memory_that_they_are_planned_for(
    kind, limit, gigabytes, tolerance
):
    network = architecture(kind)
    found = [memory(network, edge) for edge in range(64, 257, 32)]
    elements = [one.features / KEPT / STOCK.scans for one in found]
    assert np.interp(limit, elements, [one.gigabytes for one in found]) == pytest.approx(gigabytes, rel=tolerance)


def test_features_are_those_that_backpropagation_keeps():
    network = unet()
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    patch = (16, 32, 32)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(torch.zeros(1, 1, *patch))
    elements = sum(tensor.untyped_storage().nbytes() // 4 for key, tensor in kept.items() if key not in own)
    assert 2 * elements == pytest.approx(KEPT * network.compute_conv_feature_map_size(patch), rel=0.25)


def test_every_part_of_a_batch_counts():
    network = architecture(features=[8, 16, 32])
    stock, group = memory(network, 32), memory(network, 32, GROUP, 16)
    assert group.features == 3 * stock.features, "six scans, and two"
    assert memory(network, 64).features == 8 * stock.features
    more = memory(network, 32, Layout(2, 2, 3), 16)
    assert more.features == 10 / 6 * group.features and more.losses > group.losses
    without = memory(network, 32, GROUP, 0)
    assert without.losses < group.losses and without.atlases < group.atlases
    three = memory(network, 32, Layout(3, 2, 1), 16)
    encoder = three.weights - group.weights
    assert 0 < encoder < stock.weights
    assert group.weights == stock.weights + encoder


def test_an_annotated_scan_alone_is_a_target_too():
    """Two modalities: with one annotated scan each 4 targets of 4 scans, with two 4 targets of 6."""
    network = architecture(features=[8, 16, 32])
    parts = [
        memory(network, 32, layout, 16).losses - memory(network, 32, layout, 0).losses
        for layout in (Layout(2, 1, 1), Layout(2, 2, 1))
    ]
    assert parts[0] == parts[1]


def test_weights_are_those_of_the_encoders_of_all_modalities_and_one_decoder():
    network = unet()
    encoder, whole = (sum(p.numel() for p in m.parameters()) for m in (network.encoder, network))
    settings = architecture(features=[4, 8, 8])
    settings["arch_kwargs"] |= {
        "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
    }
    assert memory(settings, 16, GROUP).weights == (whole + encoder) * WEIGHT


@pytest.mark.slow
@pytest.mark.skipif(not NATIVE_BFLOAT16, reason="this processor computes in single precision only")
@pytest.mark.parametrize("preset", ["plain", "ResEncM"])
def test_estimate_and_the_tensors_of_a_training_step(tmp_path, monkeypatch, preset):
    """On the CPU, which computes the networks in half precision, too."""
    use_folders(monkeypatch, tmp_path)
    plan_quickly(monkeypatch)
    for name, channel in ((CT, "CT"), (MRI, "MRI")):
        cases = [f"{channel}{number}" for number in range(4)]
        write_raw_dataset(tmp_path / "raw", name, channel, cases, [f"{channel}un"], shape=(16, 48, 48))
    assert main(["split", "-d", "801", "802", "--label-rates", "1.0", "--seeds", "1"]) == 0
    network = ["--patch-size", "16", "48", "48", "--features", "8", "--preset", preset]
    assert main(["plan", "-d", "801", "802", *network, "--epochs", "1", "--iterations", "8", "-np", "1"]) == 0

    training = trainer("MASSTrainer")
    training.on_train_start()
    training.network.train()
    training.current_epoch = training.num_epochs  # all terms have their whole weight
    batches = (next(training.dataloader_train) for _ in range(9))
    first, second, *_ = [batch for batch in batches if len(batch["data"]) == training.layout.scans]
    training.train_step(first)  # it makes the optimizer's state
    live = LiveMemory()
    with live:
        training.train_step(second)

    plans = read_json(tmp_path / "preprocessed" / CT / "MASSPlans.json", "")
    estimate = memory_of_plans(plans, CONFIGURATION, channels=1, classes=5)
    before = estimate.weights * 16 / WEIGHT  # weights, optimizer's state and teacher: they are alive already
    expected = estimate.tensors * 2**30 - before - estimate.atlases
    print(f"{preset}: {live.peak / 2**20:.0f} MB measured, {expected / 2**20:.0f} MB estimated")
    assert 0.7 < live.peak / expected < 1.25
