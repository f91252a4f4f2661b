"""The atlas that matches a scan best, deformed to it: what is drawn of a registration."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd

from mass_nnunet.losses.similarity import local_correlation
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.networks.pair import PairNet
from mass_nnunet.registration.fields import warp
from mass_nnunet.training.patch import organ_box


class Registration(NamedTuple):
    """The atlas that matches a scan best, and its deformation; arrays on the grid of one patch.

    Attributes:
        atlas: intensities (Z, Y, X).
        target: of the scan.
        warped: the atlas on the scan's grid.
        field: displacements (3, Z, Y, X), components z, y, x, in voxels.
        atlas_labels: (Z, Y, X).
        warped_labels: probabilities (K, Z, Y, X).
        target_labels: (Z, Y, X), true ones where they are known, else predicted ones.
    """

    atlas: np.ndarray
    target: np.ndarray
    warped: np.ndarray
    field: np.ndarray
    atlas_labels: np.ndarray
    warped_labels: np.ndarray
    target_labels: np.ndarray


def register_best(
    network: MASSNet | PairNet, scan: torch.Tensor, labels: np.ndarray, patch: Sequence[int]
) -> Registration:
    """Deform the outlined atlases of a network to the patch around a scan's organs, and take the most similar one.

    Args:
        network: in evaluation mode, with one active modality, that of the scan.
        scan: (C, Z, Y, X).
        labels: of the scan (Z, Y, X), to find its organs by.
        patch: the size that the network is for (Z, Y, X).
    """
    box = organ_box(labels, patch)
    target = crop_and_pad_nd(scan, box, 0)[None].to(next(network.parameters()).device)
    bank, modality = network.atlases, network.active[0]
    outlined = slice(int(bank.outlined[modality]))
    fields = network.register(target)[outlined]  # (A, 3, Z, Y, X)
    atlases, atlas_labels = bank.images_of(modality)[outlined], bank.labels_of(modality)[outlined]
    warped = warp(atlases, fields)
    similarity = local_correlation(warped[:, :1], target[:, :1]).mean((1, 2, 3, 4))
    best = int(similarity.argmax())
    propagated = warp(atlas_labels[best : best + 1], fields[best : best + 1])[0]
    return Registration(
        *(volume[0].float().cpu().numpy() for volume in (atlases[best], target[0], warped[best])),
        fields[best].float().cpu().numpy(),
        atlas_labels[best].argmax(0).cpu().numpy(),
        propagated.float().cpu().numpy(),
        crop_and_pad_nd(labels[None], box, 0)[0],
    )
