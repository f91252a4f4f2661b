"""A network small enough for tests, with everything that the real one has."""

from collections.abc import Callable

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from torch import Tensor, nn

from mass_nnunet.batch import Layout, Scans, StepContext, StepLabels
from mass_nnunet.hyperparameters import complete
from mass_nnunet.networks.group import share_decoder
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.objectives.mass import MASSObjective
from mass_nnunet.registration.atlas import AtlasBank
from mass_nnunet.training.shares import class_shares

PATCH = (8, 16, 16)
CLASSES = 3


def unet(deep_supervision: bool = True, channels: int = 1, kind: Callable[..., nn.Module] = PlainConvUNet) -> nn.Module:
    """nnU-Net's U-Net, by default the plain one, with three scales; the first halving leaves z as it is."""
    return kind(
        channels,
        3,
        [4, 8, 8],
        nn.Conv3d,
        3,
        [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        1,
        CLASSES,
        1,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"affine": True},
        nonlin=nn.LeakyReLU,
        deep_supervision=deep_supervision,
    )


def network(
    layout: Layout | None = None,
    inference: str = "segmentation",
    modality: int = 0,
    deep_supervision: bool = True,
    correspondence_gradient: float = 0.1,
    correspondence_channels: int = 4,
    share: Callable[[list[nn.Module]], None] = share_decoder,
) -> MASSNet:
    """A group's network, in training mode, expecting a whole batch."""
    layout = layout or Layout(2, 2, 1)
    unets = [unet(deep_supervision) for _ in range(layout.modalities)]
    share(unets)
    return MASSNet(
        unets,
        atlases=AtlasBank(layout.modalities, 2, 1, CLASSES, PATCH),
        correspondence_channels=correspondence_channels,
        correspondence_gradient=correspondence_gradient,
        modality=modality,
        inference=inference,
    )


def objective(**changes: object) -> MASSObjective:
    """The objective with nnU-Net's own supervised loss."""
    loss = DC_and_CE_loss({"batch_dice": False, "do_bg": False, "smooth": 1e-5}, {})
    return MASSObjective(DeepSupervisionWrapper(loss, [0.7, 0.3]), CLASSES, complete(changes))


def batch(layout: Layout, seed: int = 0) -> tuple[Scans, list[Tensor]]:
    """Random scans (S, 1, Z, Y, X) with their layout, and labels at the two scales of deep supervision."""
    generator = torch.Generator().manual_seed(seed)
    scans = torch.randn((layout.scans, 1, *PATCH), generator=generator)
    labels = torch.randint(0, CLASSES, (layout.scans, 1, *PATCH), generator=generator)
    return Scans(scans, layout), [labels, labels[..., ::2, ::2]]


def step_labels(
    labels: list[Tensor], layout: Layout, *, progress: float = 1.0, pseudo_labels: Tensor | None = None
) -> StepLabels:
    """Labels with the context of a training step; with those at a second scale, the grid of the fields, the shares."""
    shares = class_shares(labels[0], pseudo_labels, layout, CLASSES, labels[1].shape[2:]) if len(labels) > 1 else None
    return StepLabels(labels, StepContext(layout, progress, pseudo_labels, shares))
