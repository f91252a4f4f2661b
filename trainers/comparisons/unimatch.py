"""UniMatchTrainer: weak-to-strong consistency of images and of features."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from mass_nnunet.batch import Layout, Scans, StepContext, StepLabels
from mass_nnunet.losses.overlap import confident_label_loss, mean_of
from mass_nnunet.networks.views import ViewsNet, ViewsOutput
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.blueprint import Blueprint
from mass_nnunet.trainers.base.single import SingleTrainer
from mass_nnunet.training.augmentation import perturbed
from mass_nnunet.training.copy_paste import cut_mix, random_boxes

WEIGHTS = {"supervised": 1.0, "strong": 0.5, "features": 0.5}
CONFIDENCE = 0.95
"""A pseudo-label is used at voxels where the probability of its class is at least this."""
VIEWS = 2
"""V, the strong views of an unlabelled scan."""
MIXED = 0.5
"""Share of the strong views that get a box of another scan."""


@dataclass(frozen=True, kw_only=True)
class ViewsContext(StepContext):
    """The context of a step whose unlabelled scans have strong views.

    Attributes:
        boxes: boolean (V, U, 1, Z, Y, X): where a view shows another scan (:func:`copy_paste.cut_mix`).
    """

    boxes: Tensor


class UniMatchObjective(Objective):
    """nnU-Net's loss of annotated scans, and that of unlabelled ones by the labels that the network finds in them."""

    MEASURES = ("confident",)

    def compute(self, output: ViewsOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms, and the share of the voxels with an organ as pseudo-label whose pseudo-label is used."""
        assert isinstance(context, ViewsContext)
        probability, label = output.weak.softmax(1).max(1, keepdim=True)  # (U, 1, Z, Y, X)
        confident = probability >= CONFIDENCE
        mixed = [cut_mix(each.expand(VIEWS, *each.shape), context.boxes).flatten(0, 1) for each in (label, confident)]
        return {
            "supervised": self.supervised(
                output.annotated, [context.layout.annotated(scale).flatten(0, 1) for scale in labels]
            ),
            "strong": confident_label_loss(output.strong, *(each[:, 0] for each in mixed)),
            "features": confident_label_loss(output.perturbed, label[:, 0], confident[:, 0]),
            "confident": mean_of(confident, label > 0),
        }


class UniMatchTrainer(SingleTrainer):
    """UniMatch (Yang et al., Revisiting weak-to-strong consistency in semi-supervised semantic segmentation, CVPR
    2023), of one modality.

    Of each unlabelled scan the network sees a weak view, the patch with nnU-Net's augmentation; two strong views with
    other intensities, half of which have a box of another unlabelled scan (CutMix); and the features of the weak view
    without half of the channels of each of the encoder's maps. The classes of the weak view are the labels of the other
    three, without gradient, where their probability is 0.95 or more. L = the supervised loss + lambda(t) (0.5 L(strong
    views) + 0.5 L(missing features)), the paper's weights. A step has as many unlabelled scans as annotated ones, as in
    the paper, and at least two.

    The threshold is the paper's. The authors keep it for cardiac MRI, with a U-Net that is not pretrained, and in
    UniMatch V2 (Yang et al., IEEE TPAMI 2025).

    Different here: the supervised loss is nnU-Net's, and L is cross entropy + Dice of the classes that the labels have,
    where the paper has cross entropy and the authors' cardiac version has Dice. The paper's network is pretrained, and
    this one is not: lambda rises to 1 as exp(-5 (1 - t/T)^2) with T at the share ``ramp`` of the training, as in
    MASSTrainer, where the paper has 1. With 1 small organs were found later than with labels alone in a trial
    (docs/experiments/rivals.md). A view is mixed with another scan of the same batch. A box has 2/3 of the patch's
    sides, 30 % of its volume, where the paper's have 2 to 40 % of an image. The other intensities are those that
    MASSTrainer's network sees.
    """

    TERMS: ClassVar = (*WEIGHTS, *UniMatchObjective.MEASURES)

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> ViewsNet:
        """nnU-Net's network, which sees several views in a step."""
        return ViewsNet(blueprint.unet())

    @classmethod
    def reads_unlabelled(cls, plans: dict[str, Any]) -> bool:
        """True, whatever the plans say."""
        return True

    @property
    def layout(self) -> Layout:
        """As in :class:`SingleTrainer`, with as many unlabelled scans as annotated ones, and at least two."""
        layout = super().layout
        return replace(layout, unlabelled=max(2, layout.labelled))

    def prepare(self, batch: dict) -> dict:
        """As in :class:`SingleTrainer`; besides, the strong views of the unlabelled scans."""
        prepared = super().prepare(batch)
        labels, context = prepared["target"]
        (weak,) = context.layout.hidden(prepared["data"])
        (count, _, *shape), device = weak.shape, weak.device
        boxes = random_boxes(VIEWS * count, shape, device).unflatten(0, (VIEWS, count))
        boxes = boxes & (torch.rand(VIEWS, count, 1, 1, 1, 1, device=device) < MIXED)
        strong = perturbed(weak.repeat(VIEWS, 1, 1, 1, 1)).unflatten(0, (VIEWS, count))
        images = torch.cat([prepared["data"], cut_mix(strong, boxes).flatten(0, 1)])
        context = ViewsContext(context.layout, context.progress, boxes=boxes)
        return {"data": Scans(images, context.layout), "target": StepLabels(labels, context)}

    def _build_loss(self) -> UniMatchObjective:
        loss, ramp = super()._build_loss(), self.hyperparameters.ramp
        return UniMatchObjective(loss, WEIGHTS, ramped=["strong", "features"], ramp=ramp)
