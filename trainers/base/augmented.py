"""Trainers that augment the intensities of annotated scans by class or by scan, besides nnU-Net's augmentation."""

from torch import Tensor

from mass_nnunet.training.augmentation import random_organ_contrast
from mass_nnunet.training.gin import random_convolutions
from mass_nnunet.training.slaug import location_scale_augmentation

from .group import GroupTrainer


class OrganContrastTrainer(GroupTrainer):
    """A method with random organ contrast (:func:`augmentation.random_organ_contrast`)."""

    def augmented(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans with random organ contrast, by the hyperparameter ``organ_contrast``."""
        most = self.hyperparameters.organ_contrast
        return random_organ_contrast(scans, labels, self.classes, most) if most else scans


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
