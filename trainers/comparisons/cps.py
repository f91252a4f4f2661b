"""CPSTrainer: cross pseudo supervision."""

from typing import ClassVar

import torch
from torch import Tensor

from mass_nnunet.batch import StepContext
from mass_nnunet.losses.overlap import confident_label_loss
from mass_nnunet.networks.cross import CrossNet
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.blueprint import Blueprint
from mass_nnunet.trainers.base.single import SingleTrainer

WEIGHTS = {"supervised": 1.0, "cross": 0.1}


class CPSObjective(Objective):
    """nnU-Net's loss of both networks, and the loss of each by the other one's labels, on all scans."""

    def compute(
        self, output: tuple[list[Tensor], list[Tensor]], labels: list[Tensor], context: StepContext
    ) -> dict[str, Tensor]:
        """The terms, of the logits of both networks and labels from fine to coarse."""
        first, second = output
        return {
            "supervised": self.on_labelled(first, labels, context.layout)
            + self.on_labelled(second, labels, context.layout),
            "cross": pseudo_supervision(first[0], second[0]) + pseudo_supervision(second[0], first[0]),
        }


def pseudo_supervision(student: Tensor, teacher: Tensor) -> Tensor:
    """Loss of logits (B, K, Z, Y, X), with another network's most probable classes as labels, without gradient."""
    label = teacher.detach().argmax(1)
    return confident_label_loss(student, label, torch.ones_like(label, dtype=torch.bool))


class CPSTrainer(SingleTrainer):
    """Cross pseudo supervision (Chen et al., Semi-supervised semantic segmentation with cross pseudo supervision,
    CVPR 2021), of one modality.

    Two networks of the same architecture start from different random weights and see the same scans. L = the supervised
    loss of both + 0.1 lambda(t) (L(p1, argmax p2) + L(p2, argmax p1)), on annotated and unlabelled scans alike, with
    every voxel and without gradient in the labels. The first network predicts, as one of them does in the paper.

    Different here: the supervised loss is nnU-Net's, and L is cross entropy + Dice of the classes that the labels have,
    where the paper has cross entropy for both, as organs are small. The paper's networks are pretrained, and these are
    not: lambda rises to 1 as exp(-5 (1 - t/T)^2) with T at the share ``ramp`` of the training, as in MASSTrainer, and
    the weight is 0.1, where the paper has 1.5 (PASCAL VOC). With 1.5 both networks agreed on background everywhere in a
    trial on the tests' tiny scans. CutMix, which the paper adds in some experiments, is left out.
    """

    TERMS: ClassVar = tuple(WEIGHTS)

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> CrossNet:
        """Two of nnU-Net's networks."""
        return CrossNet([blueprint.unet(), blueprint.unet()])

    def _build_loss(self) -> CPSObjective:
        return CPSObjective(super()._build_loss(), WEIGHTS, ramped=["cross"], ramp=self.hyperparameters.ramp)
