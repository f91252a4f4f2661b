"""The objective of MASS: where all its terms are put together."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mass_nnunet.batch import Layout
from mass_nnunet.losses.deformation import diffusion_loss, unfolding_loss
from mass_nnunet.losses.features import channel_contrast_loss, feature_kl_loss, feature_mse_loss
from mass_nnunet.losses.overlap import confident_label_loss, one_hot, soft_dice, soft_dice_loss
from mass_nnunet.losses.similarity import SIMILARITIES
from mass_nnunet.networks.mass import GroupOutput
from mass_nnunet.registration.fields import downsample, folding, jacobian_determinant, warp

from .base import ramp_up
from .pseudo_labels import joined

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
    "folding",
)
"""What is logged each epoch: the terms before their weights, and the share of folded voxels, which is no term."""


class Objective:
    """The weighted sum of all terms for one training batch.

    What concerns the warped atlases is computed at the field's resolution, half of the patch's.

    Args:
        supervised: nnU-Net's own loss, of (logits from fine to coarse, targets from fine to coarse).
        layout: of the batch.
        classes: K, with background.
        hyperparameters: as completed by :func:`hyperparameters.complete`.
    """

    def __init__(
        self, supervised: Callable[..., Tensor], layout: Layout, classes: int, hyperparameters: dict[str, Any]
    ) -> None:
        self.supervised = supervised
        self.layout = layout
        self.classes = classes
        self.weights = hyperparameters["weights"]
        self.confidence = hyperparameters["confidence"]
        self.ramp = hyperparameters["ramp"]
        self.similarity = SIMILARITIES[hyperparameters["similarity"]]
        self.inter_modal = SIMILARITIES.get(hyperparameters["inter_modal_similarity"])
        self.anatomical = {
            "nce": partial(channel_contrast_loss, temperature=hyperparameters["temperature"]),
            "mse": feature_mse_loss,
            "kl": feature_kl_loss,
        }[hyperparameters["anatomical"]]
        # t/T, set by the trainer as the training goes on.
        self.progress = 0.0
        # Probabilities (B, K, Z, Y, X) of the batch's unlabelled scans, without gradient: set by the trainer before a
        # step, by a teacher that sees the scans as they are.
        self.taught: Tensor | None = None
        # Each term as it last was, without gradient: for the log. Not every batch has all of them.
        self.terms = dict.fromkeys(TERMS, torch.zeros(()))

    def __call__(self, output: GroupOutput | list[Tensor], labels: list[Tensor]) -> Tensor:
        """The objective of a training batch, or nnU-Net's own loss of a validation batch.

        Args:
            output: of the network; in training mode a GroupOutput, else logits from fine to coarse.
            labels: from fine to coarse, each (S, 1, Z_s, Y_s, X_s); those of unlabelled scans are propagated ones, or
                unknown, see :func:`teacher.joined`.
        """
        if not isinstance(output, GroupOutput):
            return self.supervised(output, labels)
        labelled = self.layout.is_labelled(output.scans.device)
        terms = {"supervised": self.supervised([x[labelled] for x in output.logits], [y[labelled] for y in labels])}
        pseudo = None if self.taught is None else joined(self.taught, labels[0][~labelled])
        if output.fields is not None:
            terms |= self._atlas_branch(output, labels, pseudo)
        if pseudo is not None:  # both branches learn it
            terms["teaching"] = terms.get("teaching", 0) + self._learn(output.logits[0][~labelled], pseudo)
        self.terms = self.terms | {name: value.detach() for name, value in terms.items()}

        ramp = ramp_up(self.progress / self.ramp)
        scale = {"supervised": 1.0, **self.weights}
        for name in ("semantic", "anatomical", "teaching"):
            scale[name] = scale[name] * ramp
        total = sum(scale[name] * value for name, value in terms.items() if name in scale)
        return total if output.idle is None else total + output.idle

    def _atlas_branch(self, output: GroupOutput, labels: list[Tensor], pseudo: Tensor | None) -> dict[str, Tensor]:
        """The terms that concern the warped atlases; ``pseudo`` (B, K, Z, Y, X) is what unlabelled scans teach."""
        scans = output.scans
        target, same, other = self.layout.pairs(scans.device)
        labelled = self.layout.is_labelled(scans.device)
        hidden = ~labelled[target].repeat(2)  # targets without labels, of either kind of atlas
        count = len(target)
        shape = output.fields.shape[2:]

        # Class shares (S, K, Z', Y', X'); those of unlabelled scans are targets only.
        shares = scans.new_zeros((len(scans), self.classes, *shape))
        shares[labelled] = downsample(one_hot(labels[0][labelled], self.classes), shape)
        if pseudo is not None:
            shares[~labelled] = downsample(pseudo, shape)
        propagated = warp(shares[torch.cat([same, other])], output.fields)  # (2T, K, Z', Y', X')
        dice = soft_dice(propagated, shares[target].repeat(2, 1, 1, 1, 1))  # (2T, K - 1)
        images = downsample(scans[:, :1], shape)
        warped_same = warp(images[same], output.fields[:count])

        determinant = jacobian_determinant(output.fields)
        terms = {
            "atlas": 1 - dice[~hidden].mean(),
            "similarity": self.similarity(warped_same, images[target]),
            "smoothness": diffusion_loss(output.fields),
            "unfolding": unfolding_loss(determinant),
            "folding": folding(determinant.detach()),
        }
        if self.weights["semantic"]:
            terms["semantic"] = soft_dice_loss(*propagated.chunk(2))
        if output.features is not None:
            terms["anatomical"] = self.anatomical(output.warped_features, output.features)
        if self.inter_modal:
            terms["inter_modal"] = self.inter_modal(warp(images[other], output.fields[count:]), images[target])
        if pseudo is not None:
            terms["teaching"] = 1 - dice[hidden].mean()
        return terms

    def _learn(self, logits: Tensor, probabilities: Tensor) -> Tensor:
        """What the head has to learn from the confident pseudo-labels; both (B, K, Z, Y, X)."""
        confidence, pseudo_label = probabilities.max(1)
        return confident_label_loss(logits, pseudo_label, confidence > self.confidence)
