"""Class shares of all scans of a batch, from annotations or pseudo-labels, and the start of its registrations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mass_nnunet.batch import Layout
from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.registration.fields import downsample
from mass_nnunet.registration.translation import best_translation


def class_shares(
    labels: Tensor, pseudo_labels: Tensor | None, layout: Layout, classes: int, shape: Sequence[int]
) -> Tensor:
    """Shares (S, K, *shape) of the classes in each voxel of a coarser grid.

    Args:
        labels: (S, 1, Z, Y, X); those of unlabelled scans are not used.
        pseudo_labels: class probabilities (N U, K, Z, Y, X) of the unlabelled scans; None: their shares are 0.
        layout: layout of the batch.
        classes: K, with background.
        shape: (Z', Y', X').
    """
    annotated, hidden = layout.annotated(labels), layout.hidden(labels)
    known = downsample(one_hot(annotated.flatten(0, 1), classes), shape).unflatten(0, annotated.shape[:2])
    if pseudo_labels is None:
        taught = known.new_zeros((*hidden.shape[:2], classes, *shape))
    else:
        taught = downsample(pseudo_labels.float(), shape).unflatten(0, hidden.shape[:2])
    return torch.cat([known, taught], dim=1).flatten(0, 1)


def starting_points(shares: Tensor, layout: Layout) -> Tensor:
    """Displacements (A T, 3) in voxels that lay atlases on targets: those of the same modality, then the others.

    Args:
        shares: class shares (S, K, Z, Y, X).
        layout: layout of the batch.
    """
    return -best_translation(layout.atlases(shares), layout.targets(shares).repeat(layout.kinds, 1, 1, 1, 1))
