"""BCPTrainer: bidirectional copy-paste."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from mass_nnunet.batch import Layout, StepContext, StepLabels
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.single import SingleTrainer
from mass_nnunet.trainers.base.taught import TaughtTrainer
from mass_nnunet.training.copy_paste import largest_components, random_boxes
from mass_nnunet.training.teacher import Teacher

WEIGHTS = {"supervised": 1.0, "pseudo": 0.5}


@dataclass(frozen=True, kw_only=True)
class PastedContext(StepContext):
    """The context of a step in which each scan is a mixture of two.

    Attributes:
        pseudo: labels (L, 1, Z_s, Y_s, X_s) from fine to coarse, pseudo-labels in the part that has no annotation, and
            K elsewhere; None where both parts are annotated.
    """

    pseudo: list[Tensor] | None


class BCPObjective(Objective):
    """nnU-Net's loss of the annotated part of mixed scans, and that of the part with pseudo-labels.

    Args:
        supervised: nnU-Net's own loss, of validation steps.
        partial: the same, in which voxels with the label K do not count.
    """

    def __init__(self, supervised: Callable[..., Tensor], partial: Callable[..., Tensor]) -> None:
        super().__init__(supervised, WEIGHTS)
        self.partial = partial

    def compute(self, output: list[Tensor], labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms, of the logits of mixed scans, and the annotations in them, from fine to coarse."""
        assert isinstance(context, PastedContext)
        terms = {"supervised": self.partial(output, labels)}
        if context.pseudo is not None:
            terms["pseudo"] = self.partial(output, context.pseudo)
        return terms


class BCPTrainer(TaughtTrainer, SingleTrainer):
    """Bidirectional copy-paste (Bai et al., Bidirectional copy-paste for semi-supervised medical image segmentation,
    CVPR 2023), of one modality.

    The network sees mixed scans only: one scan inside a box of 2/3 of the patch's sides, another one outside of it. At
    first both are annotated. Then one of the two is unlabelled, with the labels of a mean teacher (of each organ the
    largest connected component). The annotated scan is inside in every other mixture of a batch, and outside in the
    rest. L = nnU-Net's loss of the annotated part + 0.5 times that of the other part. The teacher starts as the network
    is after the first phase, with momentum min(0.99, 1 - 1 / (step + 1)). The student predicts.

    Different here: the first phase takes the share ``ramp`` of the training (0.3; in the paper 12 to 25 %), with the
    same optimizer and schedule; each mixture has a box of its own, anywhere in the patch; the loss is nnU-Net's, with
    deep supervision. Where all training scans are wholly annotated, the first phase lasts to the end: a teacher would
    label scans that have annotations.
    """

    TERMS: ClassVar = tuple(WEIGHTS)

    @classmethod
    def reads_unlabelled(cls, plans: dict[str, Any]) -> bool:
        """True, whatever the plans say."""
        return True

    @property
    def layout(self) -> Layout:
        """As in :class:`SingleTrainer`, with as many unlabelled scans as annotated ones, if the fold has any."""
        layout = super().layout
        return replace(layout, unlabelled=layout.labelled if self.hidden_cases else 0)

    def get_dataloaders(self) -> tuple:
        """As in :class:`GroupTrainer`.

        Raises:
            SystemExit: a process has one annotated scan a step, in one line.
        """
        with exit_on_user_error():
            self.refuse_lonely_scans("is mixed with itself")
        return super().get_dataloaders()

    def on_train_epoch_start(self) -> None:
        """As in :class:`SingleTrainer`; after the first phase, the teacher begins."""
        super().on_train_epoch_start()
        if self.teacher is None and self.layout.unlabelled and self.progress >= self.hyperparameters.ramp:
            self.appoint(Teacher(self.module, warm_up=1))

    def prepare(self, batch: dict) -> dict:
        """As in :class:`SingleTrainer`; then each annotated scan is mixed with another scan."""
        prepared = super().prepare(batch)
        labels, context = prepared["target"]
        layout, shapes = context.layout, [scale.shape[2:] for scale in labels]
        (scans,), (annotations,) = layout.annotated(prepared["data"]), layout.annotated(labels[0])
        if self.teacher is None:
            others, other_labels = scans.roll(1, 0), annotations.roll(1, 0)
        else:
            (others,) = layout.hidden(prepared["data"])
            found = self.teacher(others).argmax(1, keepdim=True).to(annotations.dtype)
            other_labels = largest_components(found, self.classes)
        is_inside = torch.arange(len(scans), device=scans.device).view(-1, 1, 1, 1, 1) % 2 == 0
        kept = random_boxes(len(scans), shapes[0], scans.device) == is_inside  # of the annotated scan
        mixed = torch.where(kept, scans, others)
        if self.teacher is None:
            known, pseudo = torch.where(kept, annotations, other_labels), None
        else:
            known = torch.where(kept, annotations, self.possible.ignored)
            pseudo = at_scales(torch.where(kept, self.possible.ignored, other_labels), shapes)
        context = PastedContext(layout, context.progress, pseudo=pseudo)
        return {"data": mixed, "target": StepLabels(at_scales(known, shapes), context)}

    def _build_loss(self) -> BCPObjective:
        loss = super()._build_loss()
        return BCPObjective(loss, self.marginal(loss))


def at_scales(labels: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
    """Labels (B, 1, Z, Y, X) on several grids, by their nearest voxels, as nnU-Net does it."""
    return [F.interpolate(labels.float(), shape, mode="nearest-exact").to(labels.dtype) for shape in shapes]
