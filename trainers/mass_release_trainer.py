"""MASSReleaseTrainer: the objective of MASS as the authors' released code computes it, with its dead terms."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from mass_nnunet.batch import Scans, StepContext
from mass_nnunet.losses.overlap import mean_of, one_hot, soft_dice, soft_dice_loss
from mass_nnunet.networks.blocks import cpu_autocast
from mass_nnunet.networks.mass import GroupOutput, MASSNet
from mass_nnunet.objectives.mass import MASSObjective
from mass_nnunet.registration.fields import upsample, warp

from .ablations import CONSISTENCIES
from .base.blueprint import Blueprint
from .mass_trainer import MASSTrainer


class ReleaseObjective(MASSObjective):
    """Terms of labels have a value but no gradient: labels are warped as integers, and compared detached.

    What is left to learn from are the similarity, the smoothness and the anatomical consistency, which see no label.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # The released code has no segmentation head. The weight is 0, and the term is kept, as DDP wants a gradient.
        self.weights = self.weights | {"supervised": 0.0}

    def _atlas_branch(self, output: GroupOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        terms = super()._atlas_branch(output, labels, context)
        layout = context.layout
        annotated = layout.annotated_targets(output.scans.device)
        with torch.no_grad():
            classes = labels[0] * (labels[0] < self.classes)  # a voxel of unknown class is background
            integers = layout.atlases(classes).float()
            # Between 0 and 4 lie 1, 2 and 3: at its border a warped liver wears a rim of other organs.
            assert output.fields is not None
            warped = warp(integers, upsample(output.fields, integers.shape[2:])).round()
            propagated = one_hot(warped, self.classes)
            truth = one_hot(layout.targets(labels[0]), self.classes).repeat(2, 1, 1, 1, 1)
            dice = soft_dice(propagated, truth)  # (2 T, K - 1)
            terms["atlas"] = 1 - mean_of(dice, annotated.repeat(2)[:, None].expand_as(dice))
            terms["semantic"] = soft_dice_loss(*propagated.chunk(2))
        return terms


class MASSReleaseTrainer(MASSTrainer):
    """MASS (Chen et al. 2022) with the objective that the authors' released code computes, to see what it trains.

    As in their code: labels are warped as integers and compared as detached arrays, so that the Dice consistency of the
    labels that two atlases propagate has a value but no gradient. For the anatomical consistency, a contrast of
    channels, the warped image of the other-modality atlas goes through the encoder of the *target's* modality, not
    through its own. Up to five atlases a modality, fused by a softmax over their local correlation, predict.

    Not as in their code, so that the objective alone makes the difference to MASSTrainer: network, labelled cases,
    schedule, augmentation, batch, the atlas of a step (any labelled scan of the batch, rather than one of five), AdamW
    with a decaying rate rather than Adam at 3e-4, and a checkpoint that is not picked on the test scans.

    Our own reading, because this class was written from a description of their code and not from the code: the Dice of
    labelled targets is as dead as the consistency, as it comes from the same warped integers, so that no label teaches
    anything; integers are warped linearly and rounded; similarity (LNCC, same modality) and smoothness have
    VoxelMorph's weights, 1, and the consistencies MASSTrainerSCAC's, with its ramp; the features compared are those of
    the shared decoder; no segmentation head, no mutual teaching and no penalty on folding.
    """

    inferences: ClassVar[tuple[str, ...]] = ()  # the head is not trained
    places_atlases: ClassVar = False
    needs_same_channels: ClassVar = True
    CHANGES: ClassVar = {
        # In a step without atlases nothing would learn.
        "unlabelled_every": 1,
        # Random organ contrast would tell where the labels are.
        "organ_contrast": 0.0,
        "correspondence_gradient": 1.0,
        # The question is what the network alone learns from its dead terms.
        "refinement_steps": 0,
        "intensity_weight": 0.0,
        "weights": {"similarity": 1.0, "smoothness": 1.0, "unfolding": 0.0, "teaching": 0.0} | CONSISTENCIES,
    }

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> MASSNet:
        """MASSTrainer's network, whose atlas branch predicts, whatever the plans say: the head is not trained."""
        network = super().network_of(blueprint)
        network.inferences, network.inference = ("atlas",), "atlas"
        network.register_forward_hook(through_the_wrong_encoder)
        return network

    def _build_loss(self) -> ReleaseObjective:
        return ReleaseObjective(super()._build_loss().supervised, self.classes, self.hyperparameters)


def through_the_wrong_encoder(network: MASSNet, inputs: tuple, output: object) -> GroupOutput | None:
    """A forward hook: the warped features become those of the warped image, encoded as one of the target's modality."""
    if not isinstance(output, GroupOutput) or output.fields is None or network.correspondence is None:
        return None
    scans: Scans = inputs[0]
    fields = upsample(output.fields.chunk(2)[1], output.scans.shape[2:])
    # Targets are in the order of the modalities and in equal shares, so that each meets the encoder of its own.
    with cpu_autocast(output.scans.device):
        features = network.decode(warp(scans.layout.other_atlases(output.scans), fields))
        return output._replace(warped_features=network.correspondence.project(features[:-1])[-1])
