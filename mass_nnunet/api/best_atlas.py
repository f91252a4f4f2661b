"""The annotated atlas that is most similar to a scan, registered to it."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """The most similar atlas of a scan, and its registration; all arrays are on the grid of one patch.

    Attributes:
        atlas: intensities (Z, Y, X).
        target: intensities of the scan (Z, Y, X).
        warped: the atlas on the grid of the scan (Z, Y, X).
        field: displacement field (3, Z, Y, X), components z, y, x, in voxels.
        atlas_labels: (Z, Y, X).
        warped_labels: probabilities (K, Z, Y, X).
        target_labels: (Z, Y, X), the truth if it is known, else the prediction.
    """

    atlas: np.ndarray
    target: np.ndarray
    warped: np.ndarray
    field: np.ndarray
    atlas_labels: np.ndarray
    warped_labels: np.ndarray
    target_labels: np.ndarray


@dataclass(frozen=True)
class Registered:
    """The annotated atlas that is most similar to a scan, and its registration.

    Attributes:
        registration: arrays on the grid of one patch of the network, around the scan's organs.
        spacing: voxel size (z, y, x) of this grid in mm.
    """

    registration: Registration
    spacing: tuple[float, float, float]

    @property
    def displacement_voxels(self) -> np.ndarray:
        """Displacement field (3, Z, Y, X), components z, y, x, in voxels: ``warped(p) = atlas(p + field(p))``."""
        return self.registration.field

    @property
    def displacement_mm(self) -> np.ndarray:
        """The same field in mm."""
        return self.registration.field * np.reshape(self.spacing, (3, 1, 1, 1)).astype(np.float32)


def register_best(
    network: MASSNet | PairNet, scan: torch.Tensor, labels: np.ndarray, patch: Sequence[int]
) -> Registration:
    """Register the annotated atlases of a network to the patch around a scan's organs, and return the most similar one.

    Args:
        network: network in evaluation mode; its only active modality is that of the scan.
        scan: (C, Z, Y, X).
        labels: labels of the scan (Z, Y, X), from which the patch is placed.
        patch: patch size of the network (Z, Y, X).

    Raises:
        ValueError: the network has no atlases.
    """
    if network.atlases is None:
        raise ValueError("the network has no atlases to register")
    box = organ_box(labels, patch)
    target = crop_and_pad_nd(scan, box, 0)[None].to(next(network.parameters()).device)
    bank, modality = network.atlases, network.active[0]
    annotated = slice(int(bank.outlined[modality]) or None)  # without any, templates serve
    fields = network.register(target)[annotated]  # (A, 3, Z, Y, X)
    atlases, atlas_labels = bank.images_of(modality)[annotated], bank.labels_of(modality)[annotated]
    warped = warp(atlases, fields)
    similarity = local_correlation(warped[:, :1], target[:, :1]).mean((1, 2, 3, 4))
    best = int(similarity.argmax())
    propagated = warp(atlas_labels[best : best + 1], fields[best : best + 1])[0]
    intensities = [volume[0].float().cpu().numpy() for volume in (atlases[best], target[0], warped[best])]
    return Registration(
        intensities[0],
        intensities[1],
        intensities[2],
        fields[best].float().cpu().numpy(),
        atlas_labels[best].argmax(0).cpu().numpy(),
        propagated.float().cpu().numpy(),
        crop_and_pad_nd(labels[None], box, 0)[0],
    )
