"""TCSMTrainer: a transformation-consistent self-ensembling model."""

from typing import ClassVar

from torch import Tensor

from mass_nnunet.objectives.base import MethodObjective
from mass_nnunet.trainers.base.single import SingleTrainer
from mass_nnunet.training.teacher import Teacher
from mass_nnunet.training.transformations import draw_transformations, transform

MOMENTUM = 0.999
"""Of the teacher's running average."""


class TCSMTrainer(SingleTrainer):
    """TCSM_v2 (Li et al. 2020, "Transformation-consistent self-ensembling model for semisupervised medical image
    segmentation", IEEE TNNLS), of one modality.

    L = nnU-Net's loss + lambda(t) mean (pi(softmax f(x)) - softmax f'(pi(x)))^2, over labelled and unlabelled scans x
    and all classes. f' is the teacher, whose weights are the student's exponential moving average; no gradient flows
    into it. It is needed in training only: the model that is saved is the student f, stock nnU-Net's U-Net.

    What the paper leaves open, or is other here: pi is drawn anew for each scan and step, from
    :func:`transformations.draw_transformations`; the teacher's running average begins as the plain mean, momentum
    min(0.999, 1 - 1 / (step + 1)); lambda rises to 1 as exp(-5 (1 - t/T)^2) and T is the share ``ramp`` of the
    training, as in MASSTrainer. The noise that student and teacher see besides is nnU-Net's augmentation, the same for
    both.
    A training that is resumed makes its teacher anew from the student, as one that begins.
    """

    TERMS: ClassVar = ("supervised", "consistency")

    def on_train_start(self) -> None:
        """As in :class:`SingleTrainer`; the teacher is the student as it is now."""
        super().on_train_start()
        self.teacher = Teacher(self.module, momentum=MOMENTUM, warm_up=1)

    def _build_loss(self) -> MethodObjective:
        return MethodObjective(
            super()._build_loss(),
            self.terms,
            self.layout,
            {"supervised": 1.0, "consistency": 1.0},
            ramped=["consistency"],
            ramp=self.hyperparameters["ramp"],
        )

    def train_step(self, batch: dict) -> dict:
        """As in :class:`SingleTrainer`, between what the teacher sees and what it learns."""
        scans = batch["data"].to(self.device, non_blocking=True)
        self.transformations = draw_transformations(len(scans), scans.shape[2:])
        self.expected = self.teacher(transform(scans, self.transformations))
        result = super().train_step(batch)
        self.teacher.update(self.module)
        return result

    def terms(self, logits: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        """The terms of a batch, of logits and labels from fine to coarse."""
        turned = transform(logits[0].float().softmax(1), self.transformations)
        return {
            "supervised": self.loss.on_labelled(logits, labels),
            "consistency": (turned - self.expected).square().mean(),
        }
