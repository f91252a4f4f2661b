"""MASSTrainer with a part taken away or exchanged: the rows of an ablation table, each trained like the whole."""

from typing import ClassVar

from .mass_trainer import MASSTrainer


class DualStreamTrainer(MASSTrainer):
    """The two encoders and the shared decoder, supervised only: the control with MASSTrainer's own optimizer."""

    CHANGES: ClassVar = {"correspondence_channels": 0, "unlabelled_per_step": 0, "weights": {"teaching": 0.0}}


class MASSTrainerNoAtlas(MASSTrainer):
    """Two streams, and pseudo-labels of the segmentation head alone."""

    CHANGES: ClassVar = {"correspondence_channels": 0}


class MASSTrainerNoTeaching(MASSTrainer):
    """The branches do not teach each other."""

    CHANGES: ClassVar = {"weights": {"teaching": 0.0}}


class MASSTrainerNoSC(MASSTrainer):
    """No semantic consistency."""

    CHANGES: ClassVar = {"weights": {"semantic": 0.0}}


class MASSTrainerNoAC(MASSTrainer):
    """No anatomical consistency."""

    CHANGES: ClassVar = {"weights": {"anatomical": 0.0}}


class MASSTrainerMSE(MASSTrainer):
    """Anatomical consistency as a squared difference."""

    CHANGES: ClassVar = {"anatomical": "mse"}


class MASSTrainerKL(MASSTrainer):
    """Anatomical consistency as a Kullback-Leibler divergence."""

    CHANGES: ClassVar = {"anatomical": "kl"}
