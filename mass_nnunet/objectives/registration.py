"""The objectives of the registration methods: VoxelMorph's, and LT-Net's cycle consistency on top of it."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from mass_nnunet.batch import Layout
from mass_nnunet.losses.deformation import diffusion_loss
from mass_nnunet.losses.overlap import one_hot, soft_dice_loss
from mass_nnunet.losses.similarity import SIMILARITIES
from mass_nnunet.networks.pair import PairOutput
from mass_nnunet.registration.fields import folding, jacobian_determinant, warp


class RegistrationObjective:
    """The weighted sum of the terms for one training batch of one modality.

    The similarity is of the warped atlas with the target, the smoothness of every field. Where there is a backward
    field, the image and the labels of the atlas, warped to the target and back again, are compared with themselves.
    Labels of the targets are never looked at.

    Args:
        layout: of the batch.
        classes: K, with background.
        similarity: a name in :data:`similarity.SIMILARITIES`.
        weights: by term; a term without one is left out of the sum.
    """

    def __init__(self, layout: Layout, classes: int, similarity: str, weights: Mapping[str, float]) -> None:
        self.layout = layout
        self.classes = classes
        self.similarity = SIMILARITIES[similarity]
        self.weights = weights
        # For the log: the terms of the last batch without weight and gradient, and the share of folded voxels.
        self.terms: dict[str, Tensor] = {}

    def __call__(self, output: PairOutput | list[Tensor], labels: list[Tensor]) -> Tensor:
        """The objective of a training batch, or 1 - soft Dice of a validation batch.

        Args:
            output: of the network; in training mode a PairOutput, else a list of the logits (S, K, Z, Y, X).
            labels: from fine to coarse, the first (S, 1, Z, Y, X).
        """
        if not isinstance(output, PairOutput):
            return soft_dice_loss(output[0].softmax(1), one_hot(labels[0], self.classes))
        target, atlas, _ = self.layout.pairs(output.scans.device)
        terms = {
            "similarity": self.similarity(output.warped[:, :1], output.scans[target, :1]),
            "smoothness": diffusion_loss(output.fields),
            "folding": folding(jacobian_determinant(output.fields.detach())),
        }
        if output.backward is not None:
            terms["smoothness"] = (terms["smoothness"] + diffusion_loss(output.backward)) / 2
            outlined = one_hot(labels[0][atlas], self.classes)
            back = warp(warp(outlined, output.fields), output.backward)
            terms["image_cycle"] = F.l1_loss(warp(output.warped, output.backward), output.scans[atlas])
            terms["anatomy_cycle"] = soft_dice_loss(back, outlined)
        self.terms = {name: value.detach() for name, value in terms.items()}
        return sum(weight * terms[name] for name, weight in self.weights.items())
