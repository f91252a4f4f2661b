"""MMKDTrainer: unpaired multi-modal knowledge distillation."""

from itertools import combinations
from typing import ClassVar

from torch import Tensor

from mass_nnunet.losses.distillation import distillation_loss
from mass_nnunet.networks.group import GroupNet, share_convolutions
from mass_nnunet.objectives.base import MethodObjective
from mass_nnunet.trainers.base.blueprint import Blueprint
from mass_nnunet.trainers.base.group import GroupTrainer


class MMKDTrainer(GroupTrainer):
    """Unpaired multi-modal segmentation via knowledge distillation (Dou et al. 2020, IEEE TMI); supervised only.

    All modalities share every convolution and have normalizations of their own. L = nnU-Net's loss on the labelled
    scans of all modalities + 0.5 L_kd, the symmetric divergence between the modalities' mean predictions of each class,
    softened with T = 2 (:func:`distillation.distillation_loss`).

    What is other here: the normalization is nnU-Net's, of each scan, so that a modality's own are scale and shift; a
    step sees all modalities at once; of more than two modalities L_kd is the mean over all pairs.
    """

    CHANGES: ClassVar = {"unlabelled_per_step": 0}
    TERMS: ClassVar = ("supervised", "distillation")

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> GroupNet:
        """The network of the whole group; the plans say which modality it segments."""
        unets = [blueprint.unet() for _ in range(blueprint.modalities)]
        share_convolutions(unets)
        return GroupNet(unets, blueprint.modality)

    def _build_loss(self) -> MethodObjective:
        weights = {"supervised": 1.0, "distillation": 0.5}
        return MethodObjective(super()._build_loss(), self.terms, self.layout, weights)

    def terms(self, logits: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        """The terms of a batch, of logits and labels from fine to coarse."""
        count = len(self.streams)
        modalities = zip(logits[0].chunk(count), labels[0].chunk(count), strict=True)
        losses = [distillation_loss(*one, *other) for one, other in combinations(modalities, 2)]
        return {"supervised": self.loss.on_labelled(logits, labels), "distillation": sum(losses) / len(losses)}
