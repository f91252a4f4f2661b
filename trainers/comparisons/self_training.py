"""SelfTrainingTrainer: a network learns from its own labels of the unlabelled scans."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from tqdm import tqdm

from mass_nnunet.batch import Layout, StepContext
from mass_nnunet.hyperparameters import INFERENCES_WITHOUT_ATLASES
from mass_nnunet.networks.mass import GroupOutput
from mass_nnunet.objectives.base import Objective
from mass_nnunet.trainers.base.single import SingleTrainer
from mass_nnunet.trainers.mass_trainer import MASSTrainer
from mass_nnunet.trainers.segmenter import find_organs, segmenter
from mass_nnunet.training.loaders import label_file, write_labels
from mass_nnunet.training.teacher import Teacher

WEIGHTS = {"supervised": 1.0, "pseudo": 1.0}
HALF = 0.5
"""Share of the training after which the network's labels teach."""
CHANGES = {
    "correspondence_channels": 0,
    "unlabelled_every": 1,
    "weights": {"teaching": 0.0},
}


class SelfTrainingObjective(Objective):
    """nnU-Net's loss of annotated scans, and of scans that the network has labelled.

    Args:
        supervised: nnU-Net's own loss.
        partial: the same, in which voxels with the label K do not count.
        classes: K, with background.
    """

    def __init__(self, supervised: Callable[..., Tensor], partial: Callable[..., Tensor], classes: int) -> None:
        super().__init__(supervised, WEIGHTS)
        self.partial, self.classes = partial, classes

    def compute(self, output: GroupOutput, labels: list[Tensor], context: StepContext) -> dict[str, Tensor]:
        """The terms, of logits and labels from fine to coarse."""
        layout = context.layout
        terms = {"supervised": self.on_labelled(output.logits, labels, layout)}
        if layout.unlabelled:
            logits, known = ([layout.hidden(x).flatten(0, 1) for x in scales] for scales in (output.logits, labels))
            # Some batches were loaded before there were labels.
            terms["pseudo"] = self.partial(logits, [scale.clamp(max=self.classes) for scale in known])
        return terms


class SelfTrainingTrainer(SingleTrainer, MASSTrainer):
    """Self-training, of one modality: what nnU-Net's maintainers advise for unlabelled scans, and what won FLARE22
    (Huang et al., Revisiting nnU-Net for iterative pseudo labeling and efficient sliding window inference, 2022).

    In the first half of the training a U-Net learns from annotated scans alone, as in SingleModalityTrainer. Then it
    labels all unlabelled scans, once, as wholes. In the second half these labels count like annotations: each step has
    as many annotated scans as before, and an unlabelled one (``unlabelled_per_step``). L = nnU-Net's loss of both.

    Our choices: the network goes on from its weights and not from new ones, as the learning rate has decayed by
    then and a new network would have half of the steps; one round of labels; all voxels count, however sure the network
    was. Where all training scans are wholly annotated, nothing is labelled, and the second half is like the first.
    """

    CHANGES: ClassVar = CHANGES | {"organ_contrast": 0.0}
    TERMS: ClassVar = tuple(WEIGHTS)
    inferences: ClassVar[tuple[str, ...]] = INFERENCES_WITHOUT_ATLASES

    labelled = False
    """Whether the network has labelled the unlabelled scans."""

    @property
    def layout(self) -> Layout:
        """As in :class:`SingleTrainer`, without unlabelled scans where the fold has none."""
        layout = super().layout
        return layout if self.hidden_cases else replace(layout, unlabelled=0)

    def on_train_epoch_start(self) -> None:
        """As in :class:`MASSTrainer`; in the middle of the training, the unlabelled scans are labelled."""
        super().on_train_epoch_start()
        if not self.labelled and self.layout.unlabelled and self.progress >= HALF:
            self.label_scans()
            self.wait()
            self.labelled = True

    def label_scans(self) -> None:
        """Write the labels that the network finds in unlabelled scans, those of this process; files that exist stay.

        Raises:
            OSError: a file cannot be written; it names it.
            SystemExit: a voxel of a scan is not finite, in one line.
        """
        segment, scans = segmenter(self, Teacher(self.module).network, 0), self.hidden_scans()
        cases = scans.identifiers[self.local_rank :: self.processes]
        for case in tqdm(cases, desc=f"labels found in {self.plans_manager.dataset_name}"):
            file = label_file(self.propagated_folder, case)
            if not file.is_file():
                write_labels(file, find_organs(segment, scans, case)[1][None].astype(np.int16))

    def prepare(self, batch: dict) -> dict:
        """As in :class:`MASSTrainer`, without unlabelled scans in the first half."""
        if not self.labelled:
            count = self.layout.labelled
            batch = {"data": batch["data"][:count], "target": [scale[:count] for scale in batch["target"]]}
        return super().prepare(batch)

    def _build_loss(self) -> Any:
        loss = super()._build_loss().supervised
        return SelfTrainingObjective(loss, self.marginal(loss), self.classes)


class SelfTrainingTrainerOrganContrast(SelfTrainingTrainer):
    """SelfTrainingTrainer with MASSTrainer's random organ contrast of annotated scans."""

    CHANGES: ClassVar = CHANGES
