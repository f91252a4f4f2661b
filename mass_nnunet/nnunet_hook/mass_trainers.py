"""What nnUNet_extTrainer points at: nnU-Net looks here for the trainer that ``-tr`` names."""

from mass_nnunet.trainers import *  # noqa: F403
