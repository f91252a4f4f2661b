"""The tissues of a phantom, and BTCV's label values of its organs."""

from enum import IntEnum, auto


class Tissue(IntEnum):
    """A material with one appearance, the same for left and right organs."""

    AIR = 0
    TABLE = auto()
    SKIN = auto()
    FAT = auto()
    VISCERAL_FAT = auto()
    MUSCLE = auto()
    CORTICAL_BONE = auto()
    MARROW = auto()
    DISC = auto()
    SPINAL_FLUID = auto()
    SPINAL_CORD = auto()
    LUNG = auto()
    HEART = auto()
    LIVER = auto()
    HEPATIC_VESSEL = auto()
    SPLEEN = auto()
    RENAL_CORTEX = auto()
    RENAL_MEDULLA = auto()
    URINE = auto()
    BILE = auto()
    STOMACH_WALL = auto()
    STOMACH_CONTENT = auto()
    BOWEL_WALL = auto()
    BOWEL_FLUID = auto()
    FAECES = auto()
    GAS = auto()
    AORTA = auto()
    VENA_CAVA = auto()
    PORTAL_VEIN = auto()
    OESOPHAGUS = auto()
    PANCREAS = auto()
    ADRENAL = auto()
    CYST = auto()
    LESION = auto()


class Btcv(IntEnum):
    """The label values of BTCV (Synapse syn3193805)."""

    SPLEEN = 1
    RIGHT_KIDNEY = 2
    LEFT_KIDNEY = 3
    GALLBLADDER = 4
    OESOPHAGUS = 5
    LIVER = 6
    STOMACH = 7
    AORTA = 8
    VENA_CAVA = 9
    PORTAL_VEIN = 10
    PANCREAS = 11
    RIGHT_ADRENAL = 12
    LEFT_ADRENAL = 13
