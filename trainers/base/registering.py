"""What a trainer needs in addition where its network registers atlases to targets."""

from pathlib import Path

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from torch import Tensor

from mass_nnunet.api.best_atlas import register_best
from mass_nnunet.batch import Scans
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.networks.pair import PairNet
from mass_nnunet.reporting.figures import Frame, plot_registration
from mass_nnunet.training.patch import organ_box

from .group import GroupTrainer


class RegisteringTrainer(GroupTrainer):
    """A method with atlases: its network is told the layout of a batch, and carries atlases.

    Combine it with :class:`SingleTrainer` for a method of one modality.
    """

    def get_dataloaders(self) -> tuple:
        """As in :class:`GroupTrainer`.

        Raises:
            SystemExit: a process has one annotated scan a step, in one line.
        """
        if self.module.atlases is not None:
            with exit_on_user_error():
                self.refuse_lonely_scans("is registered to itself")
        return super().get_dataloaders()

    def prepare(self, batch: dict) -> dict:
        """As in :class:`GroupTrainer`; the network is given the layout, too."""
        prepared = super().prepare(batch)
        return prepared | {"data": Scans(prepared["data"], prepared["target"].context.layout)}

    def put_atlases(self) -> None:
        """Give the network its atlases: annotated training scans of each modality, or those lent to it, in patches."""
        for modality, trainer in enumerate(self.dataset_trainers):
            annotated = trainer.lender or trainer
            self.module.atlases.put(modality, *annotated.atlas_patches(self.hyperparameters.atlases))

    def atlas_patches(self, capacity: int) -> tuple[list[Tensor], list[Tensor]]:
        """Images (C, Z, Y, X) and labels (Z, Y, X) of up to ``capacity`` annotated training cases, one patch each.

        The patch holds most of the organs.
        """
        loaded = (self.load_preprocessed(case) for case in self.atlas_cases(capacity))
        images, labels = zip(*(self.organ_patch(image, label[0]) for image, label in loaded), strict=True)
        return list(images), list(labels)

    def atlas_cases(self, capacity: int) -> list[str]:
        """Up to ``capacity`` annotated training cases, sampled with the fold's seed.

        Those annotated in part serve only where none is known wholly: they tell of their organs, not of the background.
        """
        fold = self.fold_cases()
        shuffled = np.random.default_rng(fold.seed).permutation(sorted(fold.train)).tolist()
        whole = [case for case in shuffled if self.is_known_wholly(case)]
        return sorted((whole or shuffled)[:capacity])

    def template_cases(self, capacity: int) -> list[str]:
        """Unlabelled training cases that fill up ``capacity`` beside the annotated ones, sampled in the same way."""
        fold = self.fold_cases()
        room = capacity - len(self.atlas_cases(capacity))
        return sorted(np.random.default_rng(fold.seed).permutation(sorted(fold.unlabelled))[:room].tolist())

    def organ_patch(self, image: np.ndarray, label: np.ndarray) -> tuple[Tensor, Tensor]:
        """Cut image (C, Z, Y, X) and label (Z, Y, X) of a preprocessed case to the patch that holds most organ.

        A label that is none of the classes is no organ.
        """
        box = organ_box(self.organs_of(label), self.configuration_manager.patch_size)
        cut, its_labels = (torch.from_numpy(crop_and_pad_nd(volume, box, 0)) for volume in (image, label[None]))
        return cut, its_labels[0]

    def organs_of(self, label: np.ndarray) -> np.ndarray:
        """A label map with background where its class is not known."""
        return np.where(label < self.possible.classes, label, 0)

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """As in :class:`GroupTrainer`; besides, a registration of each modality is drawn."""
        super().perform_actual_validation(save_probabilities)
        if self.local_rank == 0 and self.module.atlases is not None:
            everything = range(len(self.dataset_trainers))
            for modality, trainer in enumerate(self.dataset_trainers):
                self.activate([modality])
                trainer.draw_registration(self.module)
            self.activate(everything)

    def draw_registration(self, network: MASSNet | PairNet) -> None:
        """Draw the atlas that matches the first validation case best, warped to it, into the results folder.

        Without an annotated validation case nothing is drawn.
        """
        validation = sorted(self.fold_cases().val)
        if not validation:
            return
        image, label = self.load_preprocessed(validation[0])
        scan = torch.from_numpy(image).to(self.device)
        with torch.no_grad():
            registration = register_best(network, scan, self.organs_of(label[0]), self.configuration_manager.patch_size)
        path = Path(self.output_folder) / "mass_registration.png"
        frame = Frame.of_model(self.plans_manager, self.configuration_manager, self.dataset_json)
        plot_registration(registration, path, frame)
