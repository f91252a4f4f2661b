"""The trainers that ``nnUNetv2_train -tr`` finds through nnUNet_extTrainer."""

from .mass_trainer import MASSTrainer
from .supervised_trainer import SupervisedTrainer

__all__ = ["MASSTrainer", "SupervisedTrainer"]
