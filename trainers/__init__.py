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
from .dtc_trainer import DTCTrainer
from .mass_release_trainer import MASSReleaseTrainer
from .mass_trainer import MASSTrainer
from .mmkd_trainer import MMKDTrainer
from .registration_trainers import LTNetTrainer, VoxelMorphTrainer
from .supervised_trainer import SupervisedTrainer
from .tcsm_trainer import TCSMTrainer

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
