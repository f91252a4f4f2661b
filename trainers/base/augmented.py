"""Trainers that augment the intensities of annotated scans by class or by scan, besides nnU-Net's augmentation."""

import torch
from torch import Tensor

from mass_nnunet.data.intensities import is_ct
from mass_nnunet.training.augmentation import random_organ_contrast
from mass_nnunet.training.gin import random_convolutions
from mass_nnunet.training.slaug import location_scale_augmentation

from .group import GroupTrainer


class OrganContrastTrainer(GroupTrainer):
    """A method with random organ contrast (:func:`augmentation.random_organ_contrast`), by default not in CT.

    Hounsfield units tell organs from what lies around them. On real CT random ones cost Dice, and for MASSTrainer they
    gained none on synthetic CTs of several contrast phases (docs/experiments/place.md and organ_contrast.md).
    """

    def augmented(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans with random organ contrast, by the hyperparameters ``organ_contrast`` and ``organ_contrast_in_ct``.

        Annotated CTs that are lent to another modality get it, too: they are to look like that modality.
        """
        most = self.hyperparameters.organ_contrast
        in_ct = self.hyperparameters.organ_contrast_in_ct
        spared = [not in_ct and is_ct(name) for name in self.dataset_json["channel_names"].values()]
        if not most or all(spared):
            return scans
        changed = [
            scan if is_spared else random_organ_contrast(scan, labels, self.classes, most)
            for scan, is_spared in zip(scans.split(1, 1), spared, strict=True)
        ]
        return torch.cat(changed, 1)


class SLAugTrainer(GroupTrainer):
    """A method with SLAug's location-scale augmentation (:func:`slaug.location_scale_augmentation`)."""

    def augmented(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans after random intensity curves, instead of random organ contrast."""
        return location_scale_augmentation(scans, labels, self.classes)


class GINTrainer(GroupTrainer):
    """A method with random convolutions, GIN (:func:`gin.random_convolutions`)."""

    def augmented(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans after random convolutions, instead of random organ contrast."""
        return random_convolutions(scans)
