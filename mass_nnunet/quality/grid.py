"""Scans and label maps of any size on a coarse grid, on which quality is estimated in seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
import torch

from mass_nnunet.data.dataset_json import Labels
from mass_nnunet.data.intensities import SOFT_TISSUE, is_ct
from mass_nnunet.data.label_map import mask_of, read_label_map
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.volume import SIMILAR_GRID, describe_grid, grid_distance, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.registration.alignment import EDGE as ALIGNED_EDGE
from mass_nnunet.registration.fields import downsample

EDGE = 5.0
"""Edge of the voxels of the grid in mm."""
PERCENTILES = (1.0, 99.0)
"""Intensities of other modalities that become 0 and 1."""


@dataclass(frozen=True)
class Coarse:
    """A scan on a grid of voxels of about :data:`EDGE` mm.

    Its axes end at the patient's head, front and right, or are those of oblique slices.

    Attributes:
        image: intensities (Z, Y, X), float32, 0 to 1.
        size: size (z, y, x) of the scan in voxels of its own, in the same orientation.
        edges: voxel size (z, y, x) of the coarse grid in mm.
        percentiles: percentiles 1 and 50 of the intensities as they are in the file.
        pose: that of its axes.
    """

    image: np.ndarray
    size: tuple[int, int, int]
    edges: tuple[float, float, float]
    percentiles: tuple[float, float]
    pose: Pose = Pose.UPRIGHT

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel of the coarse grid."""
        return float(np.prod(self.edges)) / 1000

    def coarsest(self) -> torch.Tensor:
        """The image on the grid on which whole scans are aligned (:mod:`mass_nnunet.registration.alignment`)."""
        sizes = (round(n * edge / ALIGNED_EDGE) for n, edge in zip(self.image.shape, self.edges, strict=True))
        return torch.from_numpy(_means(self.image, tuple(max(1, size) for size in sizes)))


class Segmented(NamedTuple):
    """A label map on the coarse grid.

    Attributes:
        shares: share (K, Z, Y, X) of each coarse voxel that each label fills, in the order of the labels.
        volumes: volume of each label (K,) in ml, in the file.
        stored: the file as it is.
    """

    shares: np.ndarray
    volumes: tuple[float, ...]
    stored: sitk.Image


def read_scan(file: Path, modality: str, pose: Pose) -> tuple[Coarse, sitk.Image]:
    """Read a scan, and bring it to the coarse grid.

    Args:
        file: its first channel.
        modality: name of the channel.
        pose: that of all scans that are compared.

    Returns:
        The scan, and the file as it is.

    Raises:
        UserError: the file is no sound volume.
    """
    stored = read_volume(file)
    turned = pose.turn(stored)
    array = sitk.GetArrayFromImage(turned).astype(np.float32)
    shape = _coarse_shape(turned)
    edges = tuple(n * s / m for n, s, m in zip(array.shape, turned.GetSpacing()[::-1], shape, strict=True))
    image = _means(array, shape)
    if is_ct(modality):
        low, high = SOFT_TISSUE
    else:
        low, high = np.percentile(image, PERCENTILES)
    scaled = ((image - low) / max(high - low, 1e-6)).clip(0, 1).astype(np.float32)
    dark, middle = np.percentile(image, (1, 50))
    return Coarse(scaled, array.shape, (edges[0], edges[1], edges[2]), (float(dark), float(middle)), pose), stored


def read_shares(file: Path, labels: Labels, pose: Pose) -> Segmented:
    """Read a label map, and bring it to the coarse grid.

    Args:
        file: the label map.
        labels: labels of the dataset: a value, or several for a region.
        pose: that of its scan.

    Raises:
        UserError: the file is no sound label map, or has a value that no label names.
    """
    found = read_label_map(file, labels)
    stored = sitk.GetImageFromArray(found.values)
    stored.CopyInformation(found.image)
    turned = pose.turn(stored)
    array, shape = sitk.GetArrayFromImage(turned), _coarse_shape(turned)
    voxel = float(np.prod(turned.GetSpacing())) / 1000
    masks = [mask_of(array, value) for value in labels.values()]
    shares = np.stack([_means(mask.astype(np.float32), shape) for mask in masks])
    return Segmented(shares, tuple(int(mask.sum()) * voxel for mask in masks), found.image)


def check_grid(file: Path, labels: sitk.Image, scan: sitk.Image) -> None:
    """Make sure that a label map lies on the grid of its scan.

    Args:
        file: file of the label map, for the message.
        labels: the label map.
        scan: its scan.

    Raises:
        UserError: it does not.
    """
    if grid_distance(scan, labels) > SIMILAR_GRID:
        own, scans = describe_grid(labels), describe_grid(scan)
        raise UserError(f"{file} has {own}, but its scan {scans}: make it on the grid of the scan again")


def _coarse_shape(image: sitk.Image) -> tuple[int, ...]:
    return tuple(
        max(1, round(n * s / EDGE)) for n, s in zip(image.GetSize()[::-1], image.GetSpacing()[::-1], strict=True)
    )


def _means(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return downsample(torch.from_numpy(array)[None, None], shape)[0, 0].numpy()
