"""MASSTrainer with a part taken away, added or exchanged: the rows of an ablation table, trained like the whole."""

from typing import ClassVar

from mass_nnunet.hyperparameters import INFERENCES_WITHOUT_ATLASES

from .base.augmented import GINTrainer, SLAugTrainer
from .mass_trainer import MASSTrainer

CONSISTENCIES = {"semantic": 0.1, "anatomical": 0.05}
"""Weights of the paper's consistencies, in the trainers that have them."""

SCAC = {"weights": CONSISTENCIES, "correspondence_gradient": 0.1, "organ_contrast": 0.0}
"""The consistencies, with the gradient that lets them reach the shared features, and, as in the paper, without random
organ contrast: compare them with MASSTrainerNoOrganContrast."""

SUPERVISED = {"correspondence_channels": 0, "unlabelled_per_step": 0, "weights": {"teaching": 0.0}}
"""Without the parts that learn from unlabelled scans or atlases."""


class DualStreamTrainer(MASSTrainer):
    """The two encoders and the shared decoder, supervised only, with nnU-Net's augmentation: the control."""

    CHANGES: ClassVar = SUPERVISED | {"organ_contrast": 0.0}
    inferences: ClassVar[tuple[str, ...]] = INFERENCES_WITHOUT_ATLASES


class DualStreamTrainerOrganContrast(MASSTrainer):
    """DualStreamTrainer with MASSTrainer's random organ contrast."""

    CHANGES: ClassVar = SUPERVISED
    inferences: ClassVar[tuple[str, ...]] = INFERENCES_WITHOUT_ATLASES


class DualStreamTrainerSLAug(SLAugTrainer, DualStreamTrainer):
    """DualStreamTrainer with SLAug's location-scale augmentation in the place of random organ contrast."""


class DualStreamTrainerGIN(GINTrainer, DualStreamTrainer):
    """DualStreamTrainer with GIN's random convolutions in the place of random organ contrast."""


class MASSTrainerSLAug(SLAugTrainer, MASSTrainer):
    """MASSTrainer with SLAug's location-scale augmentation in the place of random organ contrast."""


class MASSTrainerGIN(GINTrainer, MASSTrainer):
    """MASSTrainer with GIN's random convolutions in the place of random organ contrast."""


class MASSTrainerNoOrganContrast(MASSTrainer):
    """MASSTrainer without random organ contrast: nnU-Net's augmentation alone."""

    CHANGES: ClassVar = {"organ_contrast": 0.0}


class MASSTrainerNoAtlas(MASSTrainer):
    """MASSTrainer without correspondence head and atlases: pseudo-labels of the segmentation head alone."""

    CHANGES: ClassVar = {"correspondence_channels": 0}
    inferences: ClassVar[tuple[str, ...]] = INFERENCES_WITHOUT_ATLASES


class MASSTrainerNoTeaching(MASSTrainer):
    """MASSTrainer without mutual teaching."""

    CHANGES: ClassVar = {"weights": {"teaching": 0.0}}


class MASSTrainerSCAC(MASSTrainer):
    """MASSTrainerNoOrganContrast with the paper's consistencies, semantic and anatomical (NCE), and their gradient."""

    CHANGES: ClassVar = SCAC


class MASSTrainerNoSC(MASSTrainer):
    """MASSTrainerSCAC without semantic consistency: the anatomical one alone."""

    CHANGES: ClassVar = SCAC | {"weights": CONSISTENCIES | {"semantic": 0.0}}


class MASSTrainerNoAC(MASSTrainer):
    """MASSTrainerSCAC without anatomical consistency: the semantic one alone."""

    CHANGES: ClassVar = SCAC | {"weights": CONSISTENCIES | {"anatomical": 0.0}}


class MASSTrainerMSE(MASSTrainer):
    """MASSTrainerSCAC, with anatomical consistency as a squared difference."""

    CHANGES: ClassVar = SCAC | {"anatomical": "mse"}


class MASSTrainerKL(MASSTrainer):
    """MASSTrainerSCAC, with anatomical consistency as a Kullback-Leibler divergence."""

    CHANGES: ClassVar = SCAC | {"anatomical": "kl"}
