"""Scans and label maps of any size on a coarse grid, on which quality is estimated in seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
import torch

from mass_nnunet.data.dataset_json import Labels
from mass_nnunet.data.intensities import SOFT_TISSUE, is_ct
from mass_nnunet.data.label_map import mask_of, read_label_map
from mass_nnunet.data.pose import Pose, pose_to_compare
from mass_nnunet.data.stored_grid import stored_grid
from mass_nnunet.data.volume import SIMILAR_GRID, describe_grid, grid_distance, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.registration.fields import downsample

VOXELS = 400_000
"""Voxels of the grid in a typical scan, whose size sets that of the voxels: larger scans take longer."""
EDGES, STEP = (2.0, 5.0), 0.5
"""Least and largest edge of the voxels in mm; it is a multiple of the step, so that one scan more seldom changes it."""
PERCENTILES = (1.0, 99.0)
"""Intensities of other modalities that become 0 and 1."""
ALIGNED = 3
"""Edge of the voxels on which whole scans are aligned, in those of the coarse grid."""


class Lattice(NamedTuple):
    """What the grids of all scans that are compared have in common.

    Attributes:
        pose: that of their axes.
        edge: edge of their voxels in mm, about.
    """

    pose: Pose
    edge: float


def common_lattice(scans: Iterable[Path]) -> Lattice:
    """The lattice in which scans are compared: a small field of view gets smaller voxels, since its organs are small.

    Args:
        scans: NIfTI files of typical scans; their headers are read.

    Raises:
        UserError: a header is not sound.
    """
    files = list(scans)
    volume = float(np.median([stored_grid(file).volume for file in files]))
    edge = round((volume / VOXELS) ** (1 / 3) / STEP) * STEP
    return Lattice(pose_to_compare(files), min(max(edge, EDGES[0]), EDGES[1]))


@dataclass(frozen=True)
class Coarse:
    """A scan on a coarse grid.

    Its axes end at the patient's head, front and right, or are those of oblique slices.

    Attributes:
        image: intensities (Z, Y, X), float32, 0 to 1.
        size: size (z, y, x) of the scan in voxels of its own, in the same orientation.
        edges: voxel size (z, y, x) of the coarse grid in mm.
        percentiles: percentiles 1 and 50 of the intensities as they are in the file.
        lattice: that of all scans which are compared with it.
    """

    image: np.ndarray
    size: tuple[int, int, int]
    edges: tuple[float, float, float]
    percentiles: tuple[float, float]
    lattice: Lattice

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel of the coarse grid."""
        return float(np.prod(self.edges)) / 1000

    def coarsest(self) -> torch.Tensor:
        """The image on the grid on which whole scans are aligned (:mod:`mass_nnunet.registration.alignment`)."""
        coarser = ALIGNED * self.lattice.edge
        sizes = (round(n * edge / coarser) for n, edge in zip(self.image.shape, self.edges, strict=True))
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


def read_scan(file: Path, modality: str, lattice: Lattice) -> tuple[Coarse, sitk.Image]:
    """Read a scan, and bring it to the coarse grid.

    Args:
        file: its first channel.
        modality: name of the channel.
        lattice: that of all scans which are compared.

    Returns:
        The scan, and the file as it is.

    Raises:
        UserError: the file is no sound volume.
    """
    stored = read_volume(file)
    turned = lattice.pose.turn(stored)
    array = sitk.GetArrayFromImage(turned).astype(np.float32)
    shape = _coarse_shape(turned, lattice.edge)
    edges = tuple(n * s / m for n, s, m in zip(array.shape, turned.GetSpacing()[::-1], shape, strict=True))
    image = _means(array, shape)
    if is_ct(modality):
        low, high = SOFT_TISSUE
    else:
        low, high = np.percentile(image, PERCENTILES)
    scaled = ((image - low) / max(high - low, 1e-6)).clip(0, 1).astype(np.float32)
    dark, middle = np.percentile(image, (1, 50))
    return Coarse(scaled, array.shape, (edges[0], edges[1], edges[2]), (float(dark), float(middle)), lattice), stored


def read_shares(file: Path, labels: Labels, lattice: Lattice) -> Segmented:
    """Read a label map, and bring it to the coarse grid.

    Args:
        file: the label map.
        labels: labels of the dataset: a value, or several for a region.
        lattice: that of its scan.

    Raises:
        UserError: the file is no sound label map, or has a value that no label names.
    """
    found = read_label_map(file, labels)
    stored = sitk.GetImageFromArray(found.values)
    stored.CopyInformation(found.image)
    turned = lattice.pose.turn(stored)
    array, shape = sitk.GetArrayFromImage(turned), _coarse_shape(turned, lattice.edge)
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


def _coarse_shape(image: sitk.Image, edge: float) -> tuple[int, ...]:
    return tuple(
        max(1, round(n * s / edge)) for n, s in zip(image.GetSize()[::-1], image.GetSpacing()[::-1], strict=True)
    )


def _means(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return downsample(torch.from_numpy(array)[None, None], shape)[0, 0].numpy()
