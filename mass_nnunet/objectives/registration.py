"""The objective of the registration methods: VoxelMorph's terms, and LT-Net's cycle consistency."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor

from mass_nnunet.batch import Layout, StepContext
from mass_nnunet.losses.deformation import diffusion_loss
from mass_nnunet.losses.overlap import mean_of, one_hot, soft_dice, soft_dice_loss
from mass_nnunet.losses.similarity import SIMILARITIES
from mass_nnunet.networks.pair import PairOutput
from mass_nnunet.registration.fields import folding, inside, jacobian_determinant, warp

from .base import Objective
from .mass import CERTAIN


class RegistrationObjective(Objective):
    """The objective of a registration network of one modality.

    Its terms are ``similarity``, the dissimilarity of the warped atlas and the target, and ``smoothness``, the
    diffusion of all fields. With a backward field the atlas is also warped to the target and back, and compared
    with itself: ``image_cycle`` is the mean absolute difference, ``anatomy_cycle`` is 1 - soft Dice of the labels.
    ``dice``, if it has a weight, is 1 - soft Dice of the labels of the warped atlas and of an annotated target, of the
    classes that both have. Else labels of targets are not used.

    Args:
        supervised: nnU-Net's own loss; it is not used, because there is no segmentation head.
        classes: K, with background.
        similarity: a name in :data:`similarity.SIMILARITIES`.
        weights: weights by the name of the term.
    """

    MEASURES = ("folding",)

    def __init__(
        self, supervised: Callable[..., Tensor], classes: int, similarity: str, weights: Mapping[str, float]
    ) -> None:
        super().__init__(supervised, weights)
        self.classes = classes
        self.dissimilarity = SIMILARITIES[similarity]

    def compute(self, output: PairOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms of a training step, by name; ``labels`` are (S, 1, Z, Y, X)."""
        layout = context.layout
        terms = {
            "similarity": self.dissimilarity(output.warped[:, :1], layout.targets(output.scans)[:, :1]),
            "smoothness": diffusion_loss(output.fields),
            "folding": folding(jacobian_determinant(output.fields.detach())),
        }
        if self.weights.get("dice"):
            terms["dice"] = self._labelled(output.fields, labels[0], layout)
        if output.backward is not None:
            terms["smoothness"] = (terms["smoothness"] + diffusion_loss(output.backward)) / 2
            annotated = one_hot(layout.same_atlases(labels[0]), self.classes)
            back = warp(warp(annotated, output.fields), output.backward)
            terms["image_cycle"] = F.l1_loss(warp(output.warped, output.backward), layout.same_atlases(output.scans))
            terms["anatomy_cycle"] = soft_dice_loss(back, annotated)
        return terms

    def _labelled(self, fields: Tensor, labels: Tensor, layout: Layout) -> Tensor:
        """1 - soft Dice of the labels that atlases propagate to annotated targets, which come before the others."""
        count = len(fields) - layout.unlabelled
        fields, atlases, targets = fields[:count], layout.same_atlases(labels)[:count], layout.targets(labels)[:count]
        of_atlas, of_target = one_hot(atlases, self.classes), one_hot(targets, self.classes)
        known = warp((atlases < self.classes).float(), fields.detach()) > CERTAIN
        dice = soft_dice(warp(of_atlas, fields), of_target, known & inside(fields) & (targets < self.classes))
        both = of_atlas[:, 1:].flatten(2).any(2) & of_target[:, 1:].flatten(2).any(2)  # (T', K - 1)
        return mean_of(1 - dice, both)

    def validation_loss(self, output: list[Tensor], labels: list[Tensor]) -> Tensor:
        """1 - soft Dice of the propagated labels, where the class of a voxel is known."""
        return soft_dice_loss(output[0].softmax(1), one_hot(labels[0], self.classes), labels[0] < self.classes)
