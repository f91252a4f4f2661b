"""One dataset of a group, as nnU-Net's trainer sees it: its split, augmentation, loaders and results folder."""

from functools import cached_property
from pathlib import Path

import numpy as np
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class

from mass_nnunet.data.regions import classes_of
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.labels import IGNORE
from mass_nnunet.training.loaders import DistinctLoader, UnlabelledDataset, outside_folder

from .nnunet_private import deep_supervision_scales
from .schedule import ScheduledTrainer

ROTATION = np.deg2rad(30)
"""nnU-Net turns flat patches by up to half a circle. An abdomen turned so far is no target for an upright atlas."""


class DatasetTrainer(ScheduledTrainer):
    """What a group needs of each of its datasets.

    The trainer that nnU-Net starts has one such trainer for each dataset of its group, and is one of them.
    """

    lender: "DatasetTrainer | None" = None
    """The trainer of another dataset, whose annotated scans this one uses; it has none itself (``lending.py``)."""

    def set_up(self) -> None:
        """As in :class:`ScheduledTrainer`; where labels are regions, each of their values is a class in training."""
        super().set_up()
        self.nnunet_labels = self.label_manager
        classes = classes_of(self.label_manager.label_dict)
        if classes != self.label_manager.label_dict:
            self.label_manager = type(self.label_manager)(classes, None)

    def initialize(self) -> None:
        """As in nnU-Net; the network returns logits of classes."""
        super().initialize()
        self.module.yields_regions = False

    @property
    def channels(self) -> int:
        """C, of this dataset's images."""
        return len(self.dataset_json["channel_names"])

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple:
        """nnU-Net's own but without mirroring, as organs have sides, and with rotations of at most 30 degrees."""
        _, dummy_2d, initial_patch, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = None
        return (-ROTATION, ROTATION), dummy_2d, initial_patch, None

    def loaders(self, labelled: int, unlabelled: int) -> tuple[list[nnUNetDataLoader], nnUNetDataLoader]:
        """Loaders of annotated and of unlabelled training patches, and one of validation patches.

        Datasets, transforms and patch sizes are those of nnU-Net's own hooks.

        Args:
            labelled: annotated scans in a batch.
            unlabelled: unlabelled scans in a batch; with 0 there is no loader of them.
        """
        self.dataset_class = infer_dataset_class(self.preprocessed_dataset_folder)
        self.batch_size = labelled
        patch, labels, scales = self.configuration_manager.patch_size, self.label_manager, deep_supervision_scales(self)
        rotation, dummy_2d, initial_patch, mirroring = self.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        described = {
            "is_cascaded": self.is_cascaded,
            "foreground_labels": labels.foreground_labels,
            "regions": None,
            "ignore_label": labels.ignore_label,
        }
        masked = self.configuration_manager.use_mask_for_norm
        augmentation = self.get_training_transforms(
            patch, rotation, scales, mirroring, dummy_2d, use_mask_for_norm=masked, **described
        )
        annotated, held_out = self.get_tr_and_val_datasets()
        if self.lender is not None:
            annotated, its_held_out = self.lender.get_tr_and_val_datasets()
            held_out = held_out if held_out.identifiers else its_held_out
        oversampling = {"oversample_foreground_percent": self.oversample_foreground_percent}
        training = [
            DistinctLoader(annotated, labelled, initial_patch, patch, labels, **oversampling, transforms=augmentation)
        ]
        if unlabelled:
            with exit_on_user_error():
                hidden = self.hidden_scans()
            # With nnU-Net's label ignore the loader would look for annotated voxels.
            its_labels = type(labels)({k: v for k, v in labels.label_dict.items() if k != IGNORE}, None)
            loader = nnUNetDataLoader(hidden, unlabelled, initial_patch, patch, its_labels, transforms=augmentation)
            training.append(loader)
        to_scales = self.get_validation_transforms(scales, **described)
        validation = nnUNetDataLoader(held_out, labelled, patch, patch, labels, **oversampling, transforms=to_scales)
        return training, validation

    @property
    def place_folder(self) -> Path:
        """Folder of label maps that say, during a training, where this dataset's scans can have no organ."""
        return Path(self.output_folder) / "place"

    @property
    def propagated_folder(self) -> Path:
        """Folder of the labels that atlases propagate, during a training, to this dataset's scans."""
        return Path(self.output_folder) / "propagated"

    @property
    def outside_folder(self) -> Path:
        """Folder of the preprocessed labels of another tool for this dataset's scans; it may not exist."""
        return outside_folder(Path(self.preprocessed_dataset_folder))

    @cached_property
    def hidden_cases(self) -> tuple[str, ...]:
        """The training cases that are not annotated, or in part only."""
        fold = self.fold_cases()
        return (*fold.unlabelled, *(case for case in fold.train if not self.is_known_wholly(case)))

    def hidden_scans(self) -> UnlabelledDataset:
        """The scans that train without labels, those annotated in part among them.

        Where every training scan is annotated, the annotated ones serve.

        Raises:
            UserError: one is not preprocessed.
        """
        cases, known = self.hidden_cases or self.fold_cases().train, (self.propagated_folder, self.place_folder)
        return UnlabelledDataset(Path(self.preprocessed_dataset_folder), cases, known)

    def load_preprocessed(self, case: str) -> tuple[np.ndarray, np.ndarray]:
        """Image (C, Z, Y, X) and label (1, Z, Y, X) of a preprocessed case, with K where the class is not known.

        Of a training case, what was not annotated in the fold is not known.
        """
        trains = case in self.fold_cases().train
        image, label, _, _ = self.annotated_dataset([case], whole=not trains).load_case(case)
        return image[:], np.clip(label[:], 0, self.possible.ignored)

    def validate_own_dataset(self, save_probabilities: bool) -> None:
        """nnU-Net's validation of this dataset, if it has annotated scans to validate on; of regions, where it has."""
        if not self.fold_cases().val:
            self.print_to_log_file(f"{self.plans_manager.dataset_name} has no annotated scan to validate on")
            return
        classes, self.label_manager = self.label_manager, self.nnunet_labels
        self.module.yields_regions = True
        try:
            super().perform_actual_validation(save_probabilities)
        finally:
            self.label_manager, self.module.yields_regions = classes, False
