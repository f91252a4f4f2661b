"""Trainers that augment the intensities of annotated scans by class or by scan, besides nnU-Net's augmentation."""

from abc import abstractmethod

import torch
from torch import Tensor

from mass_nnunet.data.intensities import is_ct
from mass_nnunet.training.augmentation import random_organ_contrast
from mass_nnunet.training.gin import random_convolutions
from mass_nnunet.training.slaug import location_scale_augmentation

from .group import GroupTrainer


class IntensityTrainer(GroupTrainer):
    """A method that varies the intensities of annotated scans, by default not in CT.

    Hounsfield units tell organs from what lies around them. On real CT random organ contrast cost Dice, and for
    MASSTrainer it gained none on synthetic CTs of several contrast phases (docs/experiments/place.md and
    organ_contrast.md). What takes its place spares CT, too, so that a comparison of two of them is one of their kinds.
    """

    def augmented(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans of which all channels vary (:meth:`varied`), or all but CT, by ``organ_contrast_in_ct``.

        Annotated CTs that are lent to another modality vary, too: they are to look like that modality.
        """
        in_ct = self.hyperparameters.organ_contrast_in_ct
        spared = [not in_ct and is_ct(name) for name in self.dataset_json["channel_names"].values()]
        if all(spared):
            return scans
        if not any(spared):
            return self.varied(scans, labels)
        channels = scans.split(1, 1)  # views: an index would make a GPU wait
        others = torch.cat([channel for channel, is_spared in zip(channels, spared, strict=True) if not is_spared], 1)
        varied = iter(self.varied(others, labels).split(1, 1))
        return torch.cat([c if is_spared else next(varied) for c, is_spared in zip(channels, spared, strict=True)], 1)

    @abstractmethod
    def varied(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans (B, C, Z, Y, X) with other intensities.

        Args:
            scans: channels of the annotated scans of this modality, (B, C, Z, Y, X).
            labels: (B, 1, Z, Y, X), as in :meth:`augmented`.
        """


class OrganContrastTrainer(IntensityTrainer):
    """A method with random organ contrast (:func:`augmentation.random_organ_contrast`)."""

    def varied(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans with random organ contrast, of the strength ``organ_contrast``."""
        most = self.hyperparameters.organ_contrast
        return random_organ_contrast(scans, labels, self.classes, most) if most else scans


class SLAugTrainer(IntensityTrainer):
    """A method with SLAug's location-scale augmentation (:func:`slaug.location_scale_augmentation`)."""

    def varied(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans after random intensity curves, instead of random organ contrast."""
        return location_scale_augmentation(scans, labels, self.classes)


class GINTrainer(IntensityTrainer):
    """A method with random convolutions, GIN (:func:`gin.random_convolutions`)."""

    def varied(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Scans after random convolutions, instead of random organ contrast."""
        return random_convolutions(scans)
