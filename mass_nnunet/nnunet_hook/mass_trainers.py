"""The module in the folder of nnUNet_extTrainer, where nnU-Net looks for the trainer that ``-tr`` names.

nnU-Net imports it in each training and prediction, after it has set the number of threads.
"""

from mass_nnunet.runtime.threads import limit_itk, limit_torch
from mass_nnunet.trainers import *  # noqa: F403

limit_itk()
limit_torch()
