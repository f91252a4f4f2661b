"""An estimate of the memory that a training step takes, from the plans alone. It is no measurement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from mass_nnunet.batch import Layout
from mass_nnunet.hyperparameters import complete

HALF, FLOAT = 2, 4
"""Bytes of a number. Networks compute in half precision; weights, logits and losses have single precision."""
KEPT = 2 * HALF
"""Bytes that backpropagation keeps for each element that nnU-Net counts (``compute_conv_feature_map_size``): the
results of a convolution and of its nonlinearity."""
WEIGHT = 5 * FLOAT + HALF
"""Bytes of a weight: itself, its gradient, two moments of AdamW, the teacher's, and its copy in half precision."""
GRADIENTS = 4
"""Maps of the first stage's width, of all scans, that backpropagation holds at once at full resolution: those of a
convolution's input, which has two skips' width, of its result, and of the normalization."""
LOGITS = 6
"""Maps of all classes that a scan has at full resolution: logits, and what Dice and cross entropy keep."""
HEAD = 4
"""Maps of the correspondence head's width, in single precision, for each pair and voxel at half resolution."""
PAIR = 40
"""Numbers for each pair and voxel at half resolution that the losses of a warped atlas keep."""
ALLOWANCE = 1.4
"""Memory of a GPU that is in use for each byte of tensors: CUDA itself, the libraries' workspaces, and what the
allocator cannot use. With it nnU-Net's plain network, at its limit of 5.6e8 elements, comes to the 8 GB that nnU-Net
plans it for."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step of MASSTrainer."""

    weights: int
    """Weights of all encoders, the decoder and the teacher, with gradients and the optimizer's state."""
    features: int
    """Feature maps of all scans of the batch, labelled and unlabelled, that backpropagation needs."""
    losses: int
    """Logits, losses, pseudo-labels and the correspondence head; in backpropagation gradients take their place, if that
    is more."""
    atlases: int
    """The atlases of all modalities, of the network and of the teacher, and the batch itself."""

    @property
    def tensors(self) -> float:
        """GB of all tensors at once."""
        return (self.weights + self.features + self.losses + self.atlases) / 2**30

    @property
    def gigabytes(self) -> float:
        """GB of a GPU in use."""
        return ALLOWANCE * self.tensors


def training_memory(
    architecture: dict[str, Any],
    patch: Sequence[int],
    layout: Layout,
    *,
    channels: int,
    classes: int,
    correspondence_channels: int,
    atlases: int,
) -> Memory:
    """Estimate the memory of a training step of MASSTrainer that has unlabelled scans and registers atlases.

    The elements of the feature maps are counted by nnU-Net's own ``compute_conv_feature_map_size``. The teacher only
    predicts, before the network's own pass: it keeps no feature maps, but its weights and the pseudo-labels.

    Args:
        architecture: of the plans.
        patch: (Z, Y, X).
        layout: of a whole batch.
        channels: of an image, the largest number in the group: batches and atlases have so many.
        classes: K, with background.
        correspondence_channels: width of the correspondence head; 0 for none.
        atlases: number of atlases of each modality.
    """
    with torch.device("meta"):  # no weights are made
        unet = get_network_from_plans(
            architecture["network_class_name"],
            architecture["arch_kwargs"],
            architecture["_kw_requires_import"],
            channels,
            classes,
            allow_init=False,
            deep_supervision=True,
        )
    encoder, whole = (sum(p.numel() for p in module.parameters()) for module in (unet.encoder, unet))
    voxels, scans, hidden = math.prod(patch), layout.scans, layout.modalities * layout.unlabelled
    width, *_ = architecture["arch_kwargs"]["features_per_stage"]
    targets = scans - (layout.modalities if layout.labelled > 1 else 0)
    pairs = layout.kinds * targets if correspondence_channels else 0
    half = voxels // math.prod(architecture["arch_kwargs"]["strides"][1])
    losses = (LOGITS * scans + hidden) * classes * voxels * FLOAT
    registration = pairs * half * (HEAD * correspondence_channels + PAIR) * FLOAT
    gradients = GRADIENTS * scans * width * voxels * HALF
    bank = 2 * layout.modalities * (atlases if correspondence_channels else 0) * voxels * (channels * HALF + 1)
    return Memory(
        weights=(whole + (layout.modalities - 1) * encoder) * WEIGHT,
        features=scans * int(unet.compute_conv_feature_map_size(patch)) * KEPT,
        losses=max(losses + registration, gradients),
        atlases=bank + scans * voxels * (channels + 1) * FLOAT,
    )


def memory_of_plans(plans: dict[str, Any], configuration: str, *, channels: int, classes: int) -> Memory:
    """The estimate for the plans of a dataset of a group, by :func:`training_memory`."""
    settings, mass = plans["configurations"][configuration], plans["mass"]
    hyperparameters = complete(mass["hyperparameters"])
    layout = Layout(len(mass["modalities"]), settings["batch_size"], hyperparameters.unlabelled_per_step)
    return training_memory(
        settings["architecture"],
        settings["patch_size"],
        layout,
        channels=channels,
        classes=classes,
        correspondence_channels=hyperparameters.correspondence_channels,
        atlases=hyperparameters.atlases,
    )
