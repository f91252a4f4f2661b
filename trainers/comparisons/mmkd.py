"""MMKDTrainer: unpaired multi-modal knowledge distillation."""

from itertools import combinations
from typing import ClassVar

from torch import Tensor

from mass_nnunet.batch import StepContext
from mass_nnunet.losses.distillation import distillation_loss
from mass_nnunet.networks.group import GroupNet, share_convolutions
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.blueprint import Blueprint
from mass_nnunet.trainers.base.group import GroupTrainer

WEIGHTS = {"supervised": 1.0, "distillation": 0.5}


class MMKDObjective(Objective):
    """nnU-Net's loss, and the distillation loss of each pair of modalities."""

    def compute(self, output: list[Tensor], labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms, of logits and labels from fine to coarse."""
        count = context.layout.modalities
        modalities = zip(output[0].chunk(count), labels[0].chunk(count), strict=True)
        first, *others = (distillation_loss(*one, *other) for one, other in combinations(modalities, 2))
        distillation = sum(others, start=first) / (1 + len(others))
        return {"supervised": self.on_labelled(output, labels, context.layout), "distillation": distillation}


class MMKDTrainer(GroupTrainer):
    """Unpaired multi-modal segmentation via knowledge distillation (Dou et al. 2020, IEEE TMI); supervised only.

    All modalities share every convolution and have normalizations of their own. L = nnU-Net's loss on the annotated
    scans of all modalities + 0.5 L_kd, the symmetric divergence between the modalities' mean predictions of each class,
    softened with T = 2 (:func:`distillation.distillation_loss`).

    Differences to the paper: the normalization is nnU-Net's, of each scan, so that a modality's own parts are scale and
    shift; a step sees all modalities at once; with more than two modalities L_kd is the mean over all pairs.
    """

    CHANGES: ClassVar = {"unlabelled_per_step": 0}
    TERMS: ClassVar = tuple(WEIGHTS)

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> GroupNet:
        """The network of the whole group; the plans say which modality it segments."""
        unets = blueprint.unets()
        share_convolutions(unets)
        return GroupNet(unets, blueprint.modality)

    @property
    def compares_modalities(self) -> bool:
        """The distillation does."""
        return True

    def _build_loss(self) -> MMKDObjective:
        return MMKDObjective(super()._build_loss(), WEIGHTS)
