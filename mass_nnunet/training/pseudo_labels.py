"""Pseudo-labels of unlabelled scans, from a teacher and from the labels that atlases propagate."""

import torch
from torch import Tensor

from mass_nnunet.losses.overlap import one_hot


def joined(probabilities: Tensor, propagated: Tensor) -> Tensor:
    """Mean of what a teacher says and of the labels that atlases propagate; the teacher alone where there are none.

    The two err in different places. Where they contradict each other no class exceeds one half by much, so that a
    threshold above it leaves the voxel out, and an organ that the network has lost is not taught out of existence.

    Args:
        probabilities: (B, K, Z, Y, X).
        propagated: integer labels (B, 1, Z, Y, X); K and more is unknown (see :data:`data.UNKNOWN`).

    Returns:
        Probabilities (B, K, Z, Y, X).
    """
    classes = probabilities.shape[1]
    known = propagated < classes
    mean = (probabilities + one_hot(propagated * known, classes)) / 2
    return torch.where(known, mean, probabilities)
