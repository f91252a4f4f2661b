"""One dataset of a group, as nnU-Net's trainer sees it: its folders, its split, its augmentation, its loaders."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor

from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.networks.pair import PairNet
from mass_nnunet.reporting.best_atlas import register_best
from mass_nnunet.reporting.figures import plot_registration
from mass_nnunet.training.loaders import DistinctLoader, UnlabelledDataset
from mass_nnunet.training.patch import organ_box

from .schedule import ScheduledTrainer

ROTATION = np.deg2rad(30)
"""An abdomen turned by half a circle, as nnU-Net turns flat patches, is no target for an upright atlas."""


class StreamTrainer(ScheduledTrainer):
    """What MASSTrainer needs of each dataset of its group; it never trains alone."""

    def fold_cases(self) -> Fold:
        """The cases of this dataset's fold.

        Raises:
            SystemExit: the fold does not exist, in one clear line.
        """
        with exit_on_user_error():
            return load_fold(Path(self.preprocessed_dataset_folder_base), self.fold)

    def do_split(self) -> tuple[list[str], list[str]]:
        """Labelled training cases and validation cases; nnU-Net would make up a split for a fold that is not there."""
        fold = self.fold_cases()
        return list(fold.train), list(fold.val)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple:
        """nnU-Net's own but without mirroring, as organs have sides, and with rotations of at most 30 degrees."""
        _, dummy_2d, initial_patch, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = None
        return (-ROTATION, ROTATION), dummy_2d, initial_patch, None

    def loaders(self, labelled: int, unlabelled: int) -> tuple[list[nnUNetDataLoader], nnUNetDataLoader]:
        """Loaders of labelled and of unlabelled training patches, augmented by nnU-Net, and one of validation patches.

        Args:
            labelled: labelled scans in a batch.
            unlabelled: unlabelled scans in a batch; with 0 there is no loader of them.
        """
        self.dataset_class = infer_dataset_class(self.preprocessed_dataset_folder)
        self.batch_size = labelled
        with _in_this_process():
            training, validation = (augmenter.data_loader for augmenter in nnUNetTrainer.get_dataloaders(self))
        shared = (training.patch_size, training.final_patch_size, self.label_manager)
        oversampling = training.oversample_foreground_percent
        loaders = [
            DistinctLoader(
                training._data,
                labelled,
                *shared,
                oversample_foreground_percent=oversampling,
                transforms=training.transforms,
            )
        ]
        if unlabelled:
            with exit_on_user_error():
                hidden = self.hidden_scans()
            loaders.append(nnUNetDataLoader(hidden, unlabelled, *shared, transforms=training.transforms))
        return loaders, validation

    @property
    def propagated_folder(self) -> Path:
        """Where, in the course of a training, the labels are that atlases have propagated to its unlabelled scans."""
        return Path(self.output_folder) / "propagated"

    def hidden_scans(self) -> UnlabelledDataset:
        """The scans that train without labels: where every training scan is labelled, the labelled ones serve.

        Raises:
            UserError: one is not preprocessed.
        """
        fold = self.fold_cases()
        cases = fold.unlabelled or fold.train
        return UnlabelledDataset(Path(self.preprocessed_dataset_folder), cases, self.propagated_folder)

    def atlas_patches(self, capacity: int) -> tuple[list[Tensor], list[Tensor]]:
        """Images (C, Z, Y, X) and labels (Z, Y, X) of up to ``capacity`` labelled training cases, one patch each.

        Cases are drawn with the fold's seed. The patch lies around the middle of the organs.
        """
        fold = self.fold_cases()
        drawn = np.random.default_rng(fold.seed).permutation(sorted(fold.train))[:capacity]
        loaded = (self._load(str(case)) for case in sorted(drawn))
        images, labels = zip(*(self.organ_patch(image, label[0]) for image, label in loaded), strict=True)
        return list(images), list(labels)

    def template_cases(self, capacity: int) -> list[str]:
        """Unlabelled training cases for the places of ``capacity`` that labelled ones leave, drawn likewise."""
        fold = self.fold_cases()
        room = max(0, capacity - len(fold.train))
        return sorted(np.random.default_rng(fold.seed).permutation(sorted(fold.unlabelled))[:room].tolist())

    def draw_registration(self, network: MASSNet | PairNet) -> None:
        """Draw the atlas that matches the first validation case best, warped to it, into the results folder."""
        image, label = self._load(sorted(self.fold_cases().val)[0])
        scan = torch.from_numpy(image).to(self.device)
        with torch.no_grad():
            registration = register_best(network, scan, label[0], self.configuration_manager.patch_size)
        path = Path(self.output_folder) / "mass_registration.png"
        plot_registration(*registration, path, spacing=tuple(self.configuration_manager.spacing))

    def organ_patch(self, image: np.ndarray, label: np.ndarray) -> tuple[Tensor, Tensor]:
        """Cut image (C, Z, Y, X) and label (Z, Y, X) of a preprocessed case to one patch around the organs' middle."""
        box = organ_box(label, self.configuration_manager.patch_size)
        cut, its_labels = (torch.from_numpy(crop_and_pad_nd(volume, box, 0)) for volume in (image, label[None]))
        return cut, its_labels[0]

    def _load(self, case: str) -> tuple[np.ndarray, np.ndarray]:
        """Image (C, Z, Y, X) and label (1, Z, Y, X) of a preprocessed case."""
        folder = self.preprocessed_dataset_folder
        image, label, _, _ = infer_dataset_class(folder)(folder, [case]).load_case(case)
        return image[:], np.maximum(label[:], 0)


def same_group(ours: dict, theirs: dict, configuration: str) -> bool:
    """Whether two plans come from one planning: same modalities, schedule, and network."""
    shared = ("modalities", "epochs", "iterations", "hyperparameters")
    network = ("patch_size", "spacing", "batch_size", "architecture")
    return (
        "mass" in theirs
        and all(ours["mass"][key] == theirs["mass"][key] for key in shared)
        and all(ours["configurations"][configuration][k] == theirs["configurations"][configuration][k] for k in network)
    )


@contextmanager
def _in_this_process() -> Iterator[None]:
    """Let nnU-Net build its loaders without worker processes: the group's loader gets the only ones."""
    name = "nnUNet_n_proc_DA"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
