"""Class shares of all scans of a batch, from annotations or pseudo-labels, and the start of its registrations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mass_nnunet.batch import Layout
from mass_nnunet.losses.marginal import told
from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.registration.fields import downsample
from mass_nnunet.registration.translation import best_translation


def class_shares(
    labels: Tensor, pseudo_labels: Tensor | None, layout: Layout, classes: int, shape: Sequence[int]
) -> Tensor:
    """Shares (S, K, *shape) of the classes in each voxel of a coarser grid.

    A voxel of which the class is not known has no share in any class.

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


def known_classes(labels: Tensor, table: Tensor, layout: Layout, shape: Sequence[int]) -> Tensor:
    """Boolean (S, K, *shape): where a scan's :func:`class_shares` are known, on the coarser grid.

    Those of unlabelled scans are known everywhere.

    Args:
        labels: (S, 1, Z, Y, X); those of unlabelled scans are not used.
        table: boolean (V, K), on the device of the labels: whether label v can be class k.
        layout: layout of the batch.
        shape: (Z', Y', X').
    """
    annotated = layout.annotated(labels)
    known = told(table)[annotated.flatten(0, 1)[:, 0].long()].movedim(-1, 1)  # (N L, K, Z, Y, X)
    least = 1 - downsample(known.logical_not().float(), shape)
    of_annotated = (least == 1).unflatten(0, annotated.shape[:2])
    of_hidden = of_annotated.new_ones((*layout.hidden(labels).shape[:2], *of_annotated.shape[2:]))
    return torch.cat([of_annotated, of_hidden], dim=1).flatten(0, 1)


def starting_points(shares: Tensor, layout: Layout, known: Tensor | None = None) -> Tensor:
    """Displacements (A T, 3) in voxels that lay atlases on targets: those of the same modality, then the others.

    A class that was annotated in one of the two only does not count.

    Args:
        shares: class shares (S, K, Z, Y, X).
        layout: layout of the batch.
        known: boolean (S, K, ...), where they are known, on any grid; None for everywhere.
    """
    atlases, targets = layout.atlases(shares), layout.targets(shares).repeat(layout.kinds, 1, 1, 1, 1)
    if known is not None:
        whole = known.flatten(2).any(2)[..., None, None, None]  # (S, K, 1, 1, 1)
        both = layout.atlases(whole) & layout.targets(whole).repeat(layout.kinds, 1, 1, 1, 1)
        atlases, targets = atlases * both, targets * both
    return -best_translation(atlases, targets)
