"""Pseudo-labels of unlabelled scans, from a teacher and from the labels that atlases propagate."""

import torch
from torch import Tensor

from mass_nnunet.losses.overlap import one_hot


def joined(probabilities: Tensor, propagated: Tensor) -> Tensor:
    """Mean of the teacher's probabilities and the propagated labels; the teacher alone at voxels without such labels.

    The two make different errors. Where they contradict each other, no class is far above one half. A threshold of 0.75
    excludes such a voxel, so the teacher cannot teach its own loss of an organ.

    Args:
        probabilities: probabilities of the teacher (B, K, Z, Y, X).
        propagated: integer labels (B, 1, Z, Y, X); values of K and more are unknown (see :data:`loaders.UNKNOWN`).

    Returns:
        Probabilities (B, K, Z, Y, X).
    """
    classes = probabilities.shape[1]
    known = propagated < classes
    mean = (probabilities + one_hot(propagated * known, classes)) / 2
    return torch.where(known, mean, probabilities)
