"""What a trainer needs where some voxels or structures of its annotated scans were not annotated."""

from functools import cached_property
from typing import Any

from nnunetv2.utilities.label_handling.label_handling import LabelManager
from torch import Tensor

from mass_nnunet.labels import IGNORE
from mass_nnunet.objectives.marginal import MarginalLoss
from mass_nnunet.training.annotation import AnnotatedDataset
from mass_nnunet.training.possible import Unannotated, missing_classes

from .guarded import GuardedTrainer


class PartlyAnnotatedTrainer(GuardedTrainer):
    """nnU-Net's trainer on annotated scans in which not all is known.

    What is not known is in no loss: voxels with nnU-Net's label ``ignore``, slices between those that a fold with
    ``sparse`` uses, and structures that were not annotated in a scan.
    """

    label_manager: LabelManager

    def set_up(self) -> None:
        """As in :class:`GuardedTrainer`; besides, the labels of a group in which voxels are ignored."""
        super().set_up()
        self.ignores_by_itself = self.label_manager.has_ignore_label
        if self.possible.ignores and not self.ignores_by_itself:
            # Another dataset of the group has ignored voxels, or the fold hides slices: the loss is that of all.
            labels = {**self.label_manager.label_dict, IGNORE: self.possible.ignored}
            self.label_manager = type(self.label_manager)(labels, self.label_manager.regions_class_order)

    @cached_property
    def possible_table(self) -> Tensor:
        """Boolean (V, K), on the training's device: whether label v can be class k."""
        return self.possible.table().to(self.device)

    @property
    def missing(self) -> dict[str, Unannotated]:
        """The classes that were not annotated, by case, of the training cases that are annotated in part."""
        annotated = self.fold_cases().annotated
        return {case: missing_classes(names, self.label_manager.label_dict) for case, names in annotated.items()}

    def is_known_wholly(self, case: str) -> bool:
        """Whether all structures of all slices of a training case are annotated, but for voxels that are ignored."""
        fold = self.fold_cases()
        return fold.sparse == 1 and case not in fold.annotated

    def annotated_dataset(self, cases: list[str], *, whole: bool = False) -> AnnotatedDataset:
        """Annotated cases, without what was not annotated of them in the fold; ``whole`` for all that there is."""
        missing, sparse = ({}, 1) if whole else (self.missing, self.fold_cases().sparse)
        return AnnotatedDataset(self.preprocessed_dataset_folder, cases, self.possible, missing, sparse)

    def get_tr_and_val_datasets(self) -> tuple:
        """As in nnU-Net, without what was not annotated of the training cases."""
        training, validation = super().get_tr_and_val_datasets()
        fold = self.fold_cases()
        borrowed = self.possible.ignores and not self.ignores_by_itself
        if fold.annotated or fold.sparse > 1 or borrowed:
            training = self.annotated_dataset(list(fold.train))
        if borrowed:  # nnU-Net's loader looks for annotated voxels, which preprocessing has not collected
            validation = self.annotated_dataset(list(fold.val), whole=True)
        return training, validation

    def _build_loss(self) -> Any:
        """nnU-Net's loss; where structures were not annotated, its marginal form."""
        loss = super()._build_loss()
        return self.marginal(loss) if self.possible.unannotated else loss

    def marginal(self, loss: Any) -> Any:
        """The marginal form of nnU-Net's loss, in which a voxel with the label K does not count."""
        inner = loss.loss if self.enable_deep_supervision else loss
        if isinstance(inner, MarginalLoss):
            return loss
        marginal = MarginalLoss(inner.dc, self.possible_table)
        return type(loss)(marginal, loss.weight_factors) if self.enable_deep_supervision else marginal
