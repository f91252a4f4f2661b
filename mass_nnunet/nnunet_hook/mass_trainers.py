"""The module in the folder of nnUNet_extTrainer, where nnU-Net looks for the trainer that ``-tr`` names."""

from mass_nnunet.trainers import *  # noqa: F403
