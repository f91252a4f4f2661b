"""The trainers that ``nnUNetv2_train -tr`` finds through nnUNet_extTrainer."""

from .ablations import (
    DualStreamTrainer,
    DualStreamTrainerOrganContrast,
    MASSTrainerKL,
    MASSTrainerMSE,
    MASSTrainerNoAC,
    MASSTrainerNoAtlas,
    MASSTrainerNoOrganContrast,
    MASSTrainerNoSC,
    MASSTrainerNoTeaching,
    MASSTrainerSCAC,
)
from .comparisons.dtc import DTCTrainer
from .comparisons.mmkd import MMKDTrainer
from .comparisons.registration import LTNetTrainer, VoxelMorphTrainer
from .comparisons.supervised import SupervisedTrainer
from .comparisons.tcsm import TCSMTrainer
from .mass_release_trainer import MASSReleaseTrainer
from .mass_trainer import MASSTrainer

__all__ = [
    "DTCTrainer",
    "DualStreamTrainer",
    "DualStreamTrainerOrganContrast",
    "LTNetTrainer",
    "MASSReleaseTrainer",
    "MASSTrainer",
    "MASSTrainerKL",
    "MASSTrainerMSE",
    "MASSTrainerNoAC",
    "MASSTrainerNoAtlas",
    "MASSTrainerNoOrganContrast",
    "MASSTrainerNoSC",
    "MASSTrainerNoTeaching",
    "MASSTrainerSCAC",
    "MMKDTrainer",
    "SupervisedTrainer",
    "TCSMTrainer",
    "VoxelMorphTrainer",
]
