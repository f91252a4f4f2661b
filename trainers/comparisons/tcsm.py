"""TCSMTrainer: a transformation-consistent self-ensembling model."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mass_nnunet.batch import StepContext, StepLabels
from mass_nnunet.losses.overlap import mean_of
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.single import SingleTrainer
from mass_nnunet.trainers.base.taught import TaughtTrainer
from mass_nnunet.training.teacher import Teacher
from mass_nnunet.training.transformations import sample_transformations, shown, transform

WEIGHTS = {"supervised": 1.0, "consistency": 1.0}


@dataclass(frozen=True, kw_only=True)
class TransformedContext(StepContext):
    """The context of a step whose teacher saw transformed scans.

    Attributes:
        transformations: pi, matrices (S, 3, 3) for :func:`transformations.transform`.
        expected: softmax f'(pi(x)) (S, K, Z, Y, X), without gradient.
        seen: boolean (S, 1, Z, Y, X): the voxels of pi(x) that are not from beyond the border of x.
    """

    transformations: Tensor
    expected: Tensor
    seen: Tensor


class TCSMObjective(Objective):
    """nnU-Net's loss, and the squared difference between student and teacher on all scans."""

    def compute(self, output: list[Tensor], labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms, of logits and labels from fine to coarse; ``context`` is a :class:`TransformedContext`."""
        assert isinstance(context, TransformedContext)
        transformed = transform(output[0].float().softmax(1), context.transformations)
        return {
            "supervised": self.on_labelled(output, labels, context.layout),
            "consistency": mean_of((transformed - context.expected).square().mean(1, keepdim=True), context.seen),
        }


class TCSMTrainer(TaughtTrainer, SingleTrainer):
    """TCSM_v2 (Li et al. 2020, "Transformation-consistent self-ensembling model for semisupervised medical image
    segmentation", IEEE TNNLS), of one modality.

    L = nnU-Net's loss + lambda(t) mean (pi(softmax f(x)) - softmax f'(pi(x)))^2, over annotated and unlabelled scans x,
    all classes, and the voxels of pi(x) that x shows. f' is the teacher, whose weights are the student's exponential
    moving average; no gradient flows into it. It is needed in training only: the model that is saved is the student f,
    stock nnU-Net's U-Net.

    What the paper leaves open, or is different here: pi is sampled anew for each scan and step, by
    :func:`transformations.sample_transformations`, with turns of at most 30 degrees, where the paper has quarter turns
    and flips, as organs have sides and patients lie on their back; the teacher is MASSTrainer's, with momentum 0.99
    rather than 0.999, which in a short training is hardly the student's yet; lambda rises to 1 as
    exp(-5 (1 - t/T)^2), and T is the share ``ramp`` of the training, as in MASSTrainer. The noise that student and
    teacher see besides is nnU-Net's augmentation, the same for both.
    """

    TERMS: ClassVar = tuple(WEIGHTS)
    REVISION: ClassVar = 2  # before, quarter turns and flips, and another momentum

    def on_train_start(self) -> None:
        """As in :class:`SingleTrainer`; the student's running average is the teacher."""
        super().on_train_start()
        self.appoint(Teacher(self.module))

    def prepare(self, batch: dict) -> dict:
        """As in :class:`SingleTrainer`; besides, the teacher segments the transformed scans."""
        prepared = super().prepare(batch)
        scans, context = prepared["data"], prepared["target"].context
        assert self.teacher is not None  # from the start of the training on
        transformations = sample_transformations(len(scans), scans.device)
        context = TransformedContext(
            context.layout,
            context.progress,
            transformations=transformations,
            expected=self.teacher(transform(scans, transformations)),
            seen=shown(scans.shape[2:], transformations),
        )
        return {"data": scans, "target": StepLabels(prepared["target"].labels, context)}

    def _build_loss(self) -> TCSMObjective:
        return TCSMObjective(super()._build_loss(), WEIGHTS, ramped=["consistency"], ramp=self.hyperparameters.ramp)
