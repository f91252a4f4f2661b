"""The trainers that ``nnUNetv2_train -tr`` finds through nnUNet_extTrainer."""

from .ablations import (
    DualStreamTrainer,
    MASSTrainerKL,
    MASSTrainerMSE,
    MASSTrainerNoAC,
    MASSTrainerNoAtlas,
    MASSTrainerNoSC,
    MASSTrainerNoTeaching,
)
from .mass_trainer import MASSTrainer
from .supervised_trainer import SupervisedTrainer

__all__ = [
    "DualStreamTrainer",
    "MASSTrainer",
    "MASSTrainerKL",
    "MASSTrainerMSE",
    "MASSTrainerNoAC",
    "MASSTrainerNoAtlas",
    "MASSTrainerNoSC",
    "MASSTrainerNoTeaching",
    "SupervisedTrainer",
]
