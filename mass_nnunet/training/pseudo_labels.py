"""Pseudo-labels of unlabelled scans, from a teacher, from labels that atlases propagate, and from the organs' place."""

import numpy as np
import torch
from torch import Tensor

from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.losses.overlap import one_hot


def gated(propagated: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Labels of another tool, as far as the atlases do not contradict them.

    Where the two differ nothing is known, and where the atlases say nothing the other tool is taken. The head decides
    in :func:`joined`: with a threshold of 0.75 a known label teaches only where the head gives it a probability of 0.5
    or more. So a label of the other tool teaches nothing where head or atlases contradict it.

    Args:
        propagated: labels that atlases propagate, any shape, with :data:`labels.UNKNOWN` and :data:`labels.ELSEWHERE`.
        outside: labels of the other tool, of the same shape.
    """
    agreed = np.where(propagated == outside, propagated, UNKNOWN)
    agreed = np.where(propagated == UNKNOWN, outside, agreed)
    return np.where(propagated == ELSEWHERE, propagated, agreed).astype(propagated.dtype)


def joined(probabilities: Tensor, known: Tensor) -> Tensor:
    """Mean of the teacher's probabilities and the propagated labels; the teacher alone at voxels without such labels.

    The two make different errors. Where they contradict each other, no class is far above one half. A threshold of 0.75
    excludes such a voxel, so the teacher cannot teach its own loss of an organ.

    Where no organ can be, background is certain, whatever the teacher finds.

    Args:
        probabilities: probabilities of the teacher (B, K, Z, Y, X).
        known: integer labels (B, 1, Z, Y, X); values of K and more are :data:`labels.ELSEWHERE`, or unknown.

    Returns:
        Probabilities (B, K, Z, Y, X).
    """
    classes = probabilities.shape[1]
    labels = one_hot(known * (known < classes), classes)  # background where there is none
    mean = (probabilities + labels) / 2
    return torch.where(known == ELSEWHERE, labels, torch.where(known < classes, mean, probabilities))
