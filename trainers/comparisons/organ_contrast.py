"""The comparisons with MASSTrainer's random organ contrast: same method, same labels, the same augmentation for all.

The registration methods have no such twin: a scan with shifted organs shows where its labels are.
"""

from mass_nnunet.trainers.base.augmented import OrganContrastTrainer

from .bcp import BCPTrainer
from .cps import CPSTrainer
from .dtc import DTCTrainer
from .mmkd import MMKDTrainer
from .tcsm import TCSMTrainer
from .unimatch import UniMatchTrainer


class MMKDTrainerOrganContrast(OrganContrastTrainer, MMKDTrainer):
    """MMKDTrainer with MASSTrainer's random organ contrast."""


class TCSMTrainerOrganContrast(OrganContrastTrainer, TCSMTrainer):
    """TCSMTrainer with MASSTrainer's random organ contrast; student and teacher see the same."""


class DTCTrainerOrganContrast(OrganContrastTrainer, DTCTrainer):
    """DTCTrainer with MASSTrainer's random organ contrast."""


class CPSTrainerOrganContrast(OrganContrastTrainer, CPSTrainer):
    """CPSTrainer with MASSTrainer's random organ contrast; both networks see the same."""


class BCPTrainerOrganContrast(OrganContrastTrainer, BCPTrainer):
    """BCPTrainer with MASSTrainer's random organ contrast, before scans are mixed."""


class UniMatchTrainerOrganContrast(OrganContrastTrainer, UniMatchTrainer):
    """UniMatchTrainer with MASSTrainer's random organ contrast."""
