"""A scan in memory as nnU-Net's reader would give it: an array (C, Z, Y, X) and its spacing."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.volume import ORIENTATION, SAME_GRID, aligned, grid_distance, label_like
from mass_nnunet.errors import UserError

REORIENTING = "NibabelIOWithReorient"
"""nnU-Net's reader that turns scans to :data:`mass_nnunet.data.volume.ORIENTATION`; our plans name it."""

Images: TypeAlias = np.ndarray | sitk.Image | Sequence[sitk.Image]
"""An array (Z, Y, X) or (C, Z, Y, X), an image, or one image for each channel."""


class Scan(NamedTuple):
    """A scan for nnU-Net's preprocessing.

    Attributes:
        array: intensities (C, Z, Y, X), float32.
        spacing: voxel size (z, y, x) in mm.
        turned: first image in the orientation of ``array``; None for a scan from NumPy.
        original: first image as it was given; None for a scan from NumPy.
    """

    array: np.ndarray
    spacing: tuple[float, float, float]
    turned: sitk.Image | None
    original: sitk.Image | None

    def label_image(self, labels: np.ndarray) -> sitk.Image:
        """Labels (Z, Y, X) in the orientation of ``array``, as an image on the grid of the scan as it was given.

        Raises:
            UserError: the scan came as an array.
        """
        if self.turned is None or self.original is None:
            raise UserError("a scan from NumPy has no place in space: give a SimpleITK image to get one")
        return aligned(label_like(self.turned, labels), self.original)


def as_scan(images: Images, spacing: Sequence[float] | None, reader: str, channels: int) -> Scan:
    """Check a scan, and bring an image to the orientation that the model was trained in.

    Args:
        images: an array, whose axes must already be those of the training scans, or SimpleITK images, one a channel.
        spacing: voxel size (z, y, x) in mm of an array; images have their own.
        reader: nnU-Net's reader that the plans name.
        channels: number of channels of the model.

    Raises:
        UserError: the scan has another number of axes or channels, a value that is not finite, or no sound spacing.
    """
    if isinstance(images, np.ndarray):
        array = images[None] if images.ndim == 3 else images
        if array.ndim != 4:
            raise UserError(f"the scan has {images.ndim} axes: give (Z, Y, X), or (C, Z, Y, X) for several channels")
        if spacing is None:
            raise UserError("the scan is an array without spacing: give spacing=(z, y, x) in mm, or a SimpleITK image")
        return Scan(_checked(array, channels), _edges(spacing), None, None)
    if spacing is not None:
        raise UserError("a SimpleITK image has its own spacing: leave spacing out, or give an array")
    given = [images] if isinstance(images, sitk.Image) else list(images)
    if not given or not all(isinstance(image, sitk.Image) for image in given):
        raise UserError("the scan is no NumPy array and no SimpleITK image: give one of these, or a list of images")
    for image in given:
        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            raise UserError("the image is not one three-dimensional scan: give one image (x, y, z) for each channel")
        if grid_distance(given[0], image) > SAME_GRID:
            raise UserError("the images of the channels lie on different grids: resample them to the first one")
    turned = [sitk.DICOMOrient(image, ORIENTATION) for image in given] if reader == REORIENTING else given
    array = np.stack([sitk.GetArrayFromImage(image) for image in turned])
    return Scan(_checked(array, channels), _edges(turned[0].GetSpacing()[::-1]), turned[0], given[0])


def _edges(spacing: Sequence[float]) -> tuple[float, float, float]:
    edges = tuple(float(edge) for edge in spacing)
    if len(edges) != 3 or not all(0 < edge < float("inf") for edge in edges):
        raise UserError(f"the spacing is {edges}: give three positive numbers (z, y, x) in mm")
    return edges[0], edges[1], edges[2]


def _checked(array: np.ndarray, channels: int) -> np.ndarray:
    """The array as float32."""
    if len(array) != channels:
        raise UserError(f"the scan has {len(array)} channels: the model was trained on {channels}")
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
        raise UserError(f"the scan has values of type {array.dtype}: give real numbers")
    if min(array.shape) < 1:
        raise UserError(f"the scan of shape {array.shape} has no voxels: give one with at least one voxel an axis")
    if not np.isfinite(array).all():
        raise UserError("the scan holds values that are not finite (NaN or infinity): repair it")
    return array.astype(np.float32)
