"""DTCTrainer: dual-task consistency."""

from typing import ClassVar

from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from torch import Tensor

from mass_nnunet.batch import StepContext
from mass_nnunet.losses.signed_distance import distance_loss, dual_task_loss
from mass_nnunet.networks.dual_task import DualTaskNet, DualTaskOutput
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.blueprint import Blueprint
from mass_nnunet.trainers.base.single import SingleTrainer
from mass_nnunet.training.loaders import DistanceLoader

WEIGHTS = {"supervised": 1.0, "distance": 0.3, "consistency": 1.0}


class DTCObjective(Objective):
    """nnU-Net's loss, the distance loss on annotated scans, and the consistency of both heads on all scans."""

    def compute(self, output: DualTaskOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms; ``labels`` are those from fine to coarse, and the distances (N L, K - 1, Z, Y, X)."""
        *labels, distances = labels
        predicted = context.layout.annotated(output.distances).flatten(0, 1)
        return {
            "supervised": self.on_labelled(output.logits, labels, context.layout),
            "distance": distance_loss(predicted, distances),
            "consistency": dual_task_loss(output.distances, output.logits[0]),
        }


class DTCTrainer(SingleTrainer):
    """Dual-task consistency (Luo et al. 2021, "Semi-supervised medical image segmentation through dual-task
    consistency", AAAI), of one modality and of several organs.

    L = nnU-Net's loss + 0.3 mean (d - d_y)^2 on annotated scans + lambda(t) mean (sigmoid(-1500 d) - p)^2 on all scans,
    where d is the signed distance that a second head predicts and p the softmax. The segmentation head predicts.

    The paper has one organ and leaves the following open. Each organ has a distance, the background has none, and both
    means are over organs, too; d_y is that of the augmented patch, from :func:`signed_distance.signed_distance` in mm,
    and 1 everywhere for an organ that is not in it; a distance that could depend on voxels of unknown class does not
    count; the distance head is one convolution beside the finest segmentation head; lambda rises to 1 as
    exp(-5 (1 - t/T)^2), and T is the share ``ramp`` of the training, as in MASSTrainer.
    """

    TERMS: ClassVar = tuple(WEIGHTS)

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> DualTaskNet:
        """nnU-Net's network with a second head."""
        return DualTaskNet(blueprint.unet())

    def stack(self, loaders: list[nnUNetDataLoader]) -> DistanceLoader:
        """As in :class:`SingleTrainer`; the last of the labels are signed distances."""
        return DistanceLoader(loaders, self.configuration_manager.spacing, self.possible)

    def _build_loss(self) -> DTCObjective:
        return DTCObjective(super()._build_loss(), WEIGHTS, ramped=["consistency"], ramp=self.hyperparameters.ramp)
