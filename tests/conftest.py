"""Tests run on the CPU, with few threads, and never in the user's nnU-Net folders."""

import os

for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results", "nnUNet_extTrainer"):
    os.environ.pop(variable, None)
os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1")
