"""Controls that learn from labels alone: what MASSTrainer has to beat, with its optimizer, schedule and predictions."""

from collections.abc import Sequence
from typing import ClassVar

from mass_nnunet.hyperparameters import INFERENCES_WITHOUT_ATLASES, Hyperparameters
from mass_nnunet.networks.blocks import UNet
from mass_nnunet.networks.group import share_everything

from .ablations import SUPERVISED, DualStreamTrainer, DualStreamTrainerOrganContrast
from .base.single import SingleTrainer
from .mass_trainer import MASSTrainer


class PooledTrainerOrganContrast(MASSTrainer):
    """One network for all datasets of the group, on their annotated scans together, with random organ contrast.

    A batch holds as many scans of one dataset as of another, whatever their numbers, and the network is not told which
    is which. Each dataset gets the same model, since its scans are preprocessed as its own plans say. Everything except
    the single encoder is as in DualStreamTrainerOrganContrast.
    """

    CHANGES: ClassVar = SUPERVISED
    inferences: ClassVar[tuple[str, ...]] = INFERENCES_WITHOUT_ATLASES
    needs_same_channels: ClassVar = True

    @classmethod
    def share_parts(cls, unets: Sequence[UNet], hyperparameters: Hyperparameters) -> None:
        """One U-Net for all."""
        share_everything(unets)


class PooledTrainer(PooledTrainerOrganContrast):
    """One network for all datasets of the group, on their annotated scans together, with nnU-Net's augmentation."""

    CHANGES: ClassVar = SUPERVISED | {"organ_contrast": 0.0}


class SingleModalityTrainer(SingleTrainer, DualStreamTrainer):
    """One dataset alone: a U-Net on its annotated scans, with MASSTrainer's optimizer, schedule and predictions."""


class SingleModalityTrainerOrganContrast(SingleTrainer, DualStreamTrainerOrganContrast):
    """SingleModalityTrainer with MASSTrainer's random organ contrast."""
