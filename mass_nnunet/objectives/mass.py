"""The objective of MASS, the sum of all its terms."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from torch import Tensor

from mass_nnunet.batch import Layout, StepContext
from mass_nnunet.hyperparameters import Hyperparameters
from mass_nnunet.labels import ELSEWHERE
from mass_nnunet.losses.absence import absence_loss
from mass_nnunet.losses.deformation import diffusion_loss, folding_penalty
from mass_nnunet.losses.features import channel_contrast_loss, feature_kl_loss, feature_mse_loss
from mass_nnunet.losses.marginal import merged_into_background
from mass_nnunet.losses.overlap import confident_label_loss, mean_of, soft_dice, soft_dice_loss
from mass_nnunet.losses.similarity import SIMILARITIES
from mass_nnunet.networks.mass import GroupOutput
from mass_nnunet.registration.fields import downsample, folding, inside, jacobian_determinant, warp

from .base import Objective
from .learned import LearnedClasses

TERMS = (
    "supervised",
    "atlas",
    "similarity",
    "inter_modal",
    "smoothness",
    "unfolding",
    "semantic",
    "anatomical",
    "teaching",
    "place",
    "folding",
)
"""Names of the values that are logged each epoch: the unweighted terms, and ``folding``, the share of folded voxels."""


CERTAIN = 0.99999
"""Share of known voxels, among those that a warped voxel is interpolated from, from which on it is known."""


class MASSObjective(Objective):
    r"""The objective of MASS (Chen et al., Medical Image Analysis 2022) with our extensions.

    S(x) are the segmentation logits of a scan x, and y its labels if it is annotated. Each target x has an atlas a of
    its own modality and an atlas b of another modality, with labels y_a, y_b and displacement fields u_a, u_b from the
    atlas to x. p are the pseudo-labels of an unlabelled scan x.

        L =  L_sup(S(x), y)                                          supervised: nnU-Net's Dice + cross entropy
           + w_atlas       mean over a, b of 1 - Dice(y_a o u_a, y)           on annotated targets
           + w_similarity  (1 - LNCC(a o u_a, x))                             or MSE, NMI, MIND-SSC
           + w_inter_modal d(b o u_b, x)                                      NMI or MIND-SSC; off by default
           + w_smoothness  mean |grad u|^2                                    diffusion, all fields
           + w_unfolding   mean max(0, 0.1 - det J(id + u))                   folding penalty, all fields
           + r(t) w_semantic   (1 - Dice(y_a o u_a, y_b o u_b))               semantic consistency; off by default
           + r(t) w_anatomical C(F(b) o u_b, F(x))                            anatomical consistency; off by default
           + r(t) w_teaching   [CE + (1 - Dice)](S(x), argmax p where max p > confidence)
                             + (1 - Dice)(y_a o u_a, p), and for b            mutual teaching, unlabelled targets
           + r(t) w_place      -log softmax(S(x)) of background               where x can have no organ, unlabelled x

    r(t) = exp(-5 (1 - t / (ramp T))^2) (:func:`base.ramp_up`). The terms of warped atlases are computed at the
    resolution of the field, half of that of the patch. No gradient flows through p. In each of them a class counts
    where target and warped atlas both tell if a voxel is of this class. With
    ``taught_from`` S learns from p only the classes that it has learned on annotated scans (learned.py); the others
    count as background in S(x) and p, so that p does not deny them.

    Args:
        supervised: nnU-Net's own loss, a function of (logits from fine to coarse, labels from fine to coarse).
        classes: K, with background.
        hyperparameters: hyperparameters of the method.
    """

    MEASURES = ("folding",)

    def __init__(self, supervised: Callable[..., Tensor], classes: int, hyperparameters: Hyperparameters) -> None:
        super().__init__(
            supervised,
            {"supervised": 1.0, **asdict(hyperparameters.weights)},
            ramped=("semantic", "anatomical", "teaching", "place"),
            ramp=hyperparameters.ramp,
        )
        self.classes = classes
        self.confidence = hyperparameters.confidence
        self.learned = LearnedClasses(hyperparameters.taught_from) if hyperparameters.taught_from else None
        self.dissimilarity = SIMILARITIES[hyperparameters.similarity_measure]
        inter_modal = hyperparameters.inter_modal_similarity
        self.inter_modal_dissimilarity = None if inter_modal is None else SIMILARITIES[inter_modal]
        comparisons: dict[str, Callable[..., Tensor]] = {
            "nce": partial(channel_contrast_loss, temperature=hyperparameters.temperature),
            "mse": feature_mse_loss,
            "kl": feature_kl_loss,
        }
        self.feature_difference = comparisons[hyperparameters.feature_comparison]

    def compute(self, output: GroupOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms of a training step, by name."""
        terms = {"supervised": self.on_labelled(output.logits, labels, context.layout)}
        if self.learned is not None:
            scale = min(1, len(labels) - 1)  # half the resolution will do
            self.learned.update(output.logits[scale], labels[scale], context.layout)
        if output.idle is not None:
            terms["supervised"] = terms["supervised"] + output.idle
        if output.fields is not None:
            terms |= self._atlas_branch(output, labels, context)
        if context.pseudo_labels is not None:
            head = self._learn(output.logits[0], context.pseudo_labels, context.layout)
            terms["teaching"] = terms["teaching"] + head if "teaching" in terms else head
        if context.layout.unlabelled:
            absent = context.layout.hidden(labels[0]).flatten(0, 1) == ELSEWHERE
            terms["place"] = absence_loss(context.layout.hidden(output.logits[0]).flatten(0, 1), absent)
        return terms

    def _atlas_branch(self, output: GroupOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms of the warped atlases; ``output`` has displacement fields."""
        scans, fields, layout = output.scans, output.fields, context.layout
        assert fields is not None
        annotated = layout.annotated_targets(scans.device).repeat(layout.kinds)[:, None]  # (A T, 1)
        shape = fields.shape[2:]

        shares = context.shares
        assert shares is not None
        atlases, targets = layout.atlases(shares), layout.targets(shares).repeat(layout.kinds, 1, 1, 1, 1)
        propagated = warp(atlases, fields)  # (A T, K, Z', Y', X')
        shown = inside(fields)  # what lies beyond the border of an atlas is unknown
        told = None  # of which classes the warped atlas tells
        if context.known is not None:
            told = warp(layout.atlases(context.known[:, 1:]).float(), fields.detach()) > CERTAIN  # (A T, K - 1)
            shown = shown & told & layout.targets(context.known[:, 1:]).repeat(layout.kinds, 1, 1, 1, 1)
        dice = soft_dice(propagated, targets, shown)  # (A T, K - 1)
        # A class that only one of the two patches has cannot be mapped.
        both = (atlases[:, 1:].sum((2, 3, 4)) >= 1) & (targets[:, 1:].sum((2, 3, 4)) >= 1)  # (A T, K - 1)
        images = downsample(scans[:, :1], shape)  # (S, 1, Z', Y', X')
        by_kind = fields.chunk(layout.kinds)
        warped = warp(layout.same_atlases(images), by_kind[0])
        determinant = jacobian_determinant(fields)

        terms = {
            "atlas": mean_of(1 - dice, both & annotated),
            "similarity": self.dissimilarity(*(layout.comparable(x) for x in (warped, layout.targets(images)))),
            "smoothness": diffusion_loss(fields),
            "unfolding": folding_penalty(determinant),
            "folding": folding(determinant.detach()),
        }
        if self.weights["semantic"]:
            first, second = propagated.chunk(2)
            terms["semantic"] = soft_dice_loss(
                first, second, None if told is None else told[: len(first)] & told[len(first) :]
            )
        if output.features is not None:
            terms["anatomical"] = self.feature_difference(output.warped_features, output.features)
        if self.inter_modal_dissimilarity:
            warped = warp(layout.other_atlases(images), by_kind[1])
            terms["inter_modal"] = self.inter_modal_dissimilarity(warped, layout.targets(images))
        if context.pseudo_labels is not None:
            terms["teaching"] = mean_of(1 - dice, both & ~annotated)
        return terms

    def _learn(self, logits: Tensor, probabilities: Tensor, layout: Layout) -> Tensor:
        """Loss of the segmentation head on the confident pseudo-labels, of the classes that it may be taught by now.

        Args:
            logits: (S, K, Z, Y, X).
            probabilities: the pseudo-labels (N U, K, Z, Y, X).
            layout: layout of the batch.
        """
        hidden = layout.hidden(logits).flatten(0, 1)
        if self.learned is not None:
            learned = self.learned.table.repeat_interleave(layout.unlabelled, 0, output_size=len(probabilities))
            hidden = merged_into_background(hidden, learned)
            probabilities = merged_into_background(probabilities.log(), learned).exp()
        confidence, pseudo_label = probabilities.max(1)
        return confident_label_loss(hidden, pseudo_label, confidence > self.confidence)
