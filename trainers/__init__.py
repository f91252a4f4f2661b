"""The trainers that ``nnUNetv2_train -tr`` finds through nnUNet_extTrainer."""

from .ablations import (
    DualStreamTrainer,
    DualStreamTrainerGIN,
    DualStreamTrainerOrganContrast,
    DualStreamTrainerSLAug,
    MASSTrainerGIN,
    MASSTrainerKL,
    MASSTrainerMSE,
    MASSTrainerNoAC,
    MASSTrainerNoAtlas,
    MASSTrainerNoOrganContrast,
    MASSTrainerNoSC,
    MASSTrainerNoTeaching,
    MASSTrainerSCAC,
    MASSTrainerSLAug,
)
from .comparisons.bcp import BCPTrainer
from .comparisons.cps import CPSTrainer
from .comparisons.dtc import DTCTrainer
from .comparisons.mmkd import MMKDTrainer
from .comparisons.organ_contrast import (
    BCPTrainerOrganContrast,
    CPSTrainerOrganContrast,
    DTCTrainerOrganContrast,
    MMKDTrainerOrganContrast,
    TCSMTrainerOrganContrast,
    UniMatchTrainerOrganContrast,
)
from .comparisons.registration import LTNetTrainer, VoxelMorphTrainer
from .comparisons.self_training import SelfTrainingTrainer, SelfTrainingTrainerOrganContrast
from .comparisons.supervised import SupervisedTrainer
from .comparisons.tcsm import TCSMTrainer
from .comparisons.unimatch import UniMatchTrainer
from .controls import (
    PooledTrainer,
    PooledTrainerOrganContrast,
    SingleModalityTrainer,
    SingleModalityTrainerOrganContrast,
)
from .mass_release_trainer import MASSReleaseTrainer
from .mass_trainer import MASSTrainer

__all__ = [
    "BCPTrainer",
    "BCPTrainerOrganContrast",
    "CPSTrainer",
    "CPSTrainerOrganContrast",
    "DTCTrainer",
    "DTCTrainerOrganContrast",
    "DualStreamTrainer",
    "DualStreamTrainerGIN",
    "DualStreamTrainerOrganContrast",
    "DualStreamTrainerSLAug",
    "LTNetTrainer",
    "MASSReleaseTrainer",
    "MASSTrainer",
    "MASSTrainerGIN",
    "MASSTrainerKL",
    "MASSTrainerMSE",
    "MASSTrainerNoAC",
    "MASSTrainerNoAtlas",
    "MASSTrainerNoOrganContrast",
    "MASSTrainerNoSC",
    "MASSTrainerNoTeaching",
    "MASSTrainerSCAC",
    "MASSTrainerSLAug",
    "MMKDTrainer",
    "MMKDTrainerOrganContrast",
    "PooledTrainer",
    "PooledTrainerOrganContrast",
    "SelfTrainingTrainer",
    "SelfTrainingTrainerOrganContrast",
    "SingleModalityTrainer",
    "SingleModalityTrainerOrganContrast",
    "SupervisedTrainer",
    "TCSMTrainer",
    "TCSMTrainerOrganContrast",
    "UniMatchTrainer",
    "UniMatchTrainerOrganContrast",
    "VoxelMorphTrainer",
]
