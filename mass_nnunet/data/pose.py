"""The pose of a dataset's scans: the order and direction of their axes, and nnU-Net's reader that keeps it.

By itself nnU-Net turns scans to the nearest anatomical axes only. The nearest axes of oblique slices, such as
short-axis slices of the heart, differ between patients. Oblique scans are therefore turned once, at the conversion, and
read as they are stored.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from mass_nnunet.data.axes import OBLIQUE_DEGREES, stacked_axes, tilt
from mass_nnunet.data.volume import ORIENTATION

_OPPOSITE = dict(zip("LRPASI", "RLAPIS", strict=True))


class Pose(Enum):
    """The axes of all scans of a dataset."""

    UPRIGHT = "upright"
    """The nearest anatomical axes: RAS. nnU-Net's reader turns each scan to them, however it is stored."""
    SLICES = "slices"
    """The slices first, at any angle: see :func:`~mass_nnunet.data.axes.stacked_axes`. Nothing turns the scans that are
    predicted later: they have to be stored alike (``mass_nnunet turn``)."""

    @property
    def reader(self) -> str:
        """nnU-Net's reader for ``dataset.json``; each writes predictions with the affine of the input."""
        return "NibabelIOWithReorient" if self is Pose.UPRIGHT else "NibabelIO"

    @classmethod
    def of_reader(cls, reader: str) -> "Pose":
        """The pose of arrays that a reader of nnU-Net gives for datasets of this package."""
        return cls.SLICES if reader == cls.SLICES.reader else cls.UPRIGHT

    def orientation(self, image: sitk.Image) -> str:
        """The axis codes that a scan has in this pose, for ``sitk.DICOMOrient``, which resamples nothing."""
        if self is Pose.UPRIGHT:
            return ORIENTATION
        stored = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
        axes = stacked_axes(directions_of(image), image.GetSpacing()[::-1])
        codes = [stored[2 - axis] if sign > 0 else _OPPOSITE[stored[2 - axis]] for axis, sign in axes]
        return "".join(reversed(codes))  # x, y, z

    def turn(self, image: sitk.Image) -> sitk.Image:
        """A scan or a label map in this pose; nothing is resampled."""
        return sitk.DICOMOrient(image, self.orientation(image))

    @property
    def flips(self) -> tuple[slice, slice]:
        """How a slice (Y, X) of an array in this pose is turned for a picture, as by :meth:`shown`."""
        backwards, forwards = slice(None, None, -1), slice(None)
        return backwards, backwards if self is Pose.UPRIGHT else forwards

    def shown(self, image: sitk.Image) -> str:
        """The axis codes for pictures of a scan's slices (Y, X) whose first row is on top.

        Upright scans are in radiological convention, LPS. Oblique slices have their rows downwards, which makes the
        three axes right-handed as well.
        """
        x, y, z = list(self.orientation(image))
        return (_OPPOSITE[x] if self is Pose.UPRIGHT else x) + _OPPOSITE[y] + z


def directions_of(image: sitk.Image) -> np.ndarray:
    """Directions of a scan's axes: a row for each of Z, Y, X, unit vectors in LPS."""
    return np.reshape(image.GetDirection(), (3, 3)).T[::-1]


def usual_pose(paths: Iterable[Path]) -> Pose:
    """The pose for NIfTI scans: ``SLICES`` if most of those with thick slices are oblique, by their headers.

    A file that cannot be read is passed over; its conversion says what is wrong with it.
    """
    return pose_of_tilts([angle for angle in _tilts(paths) if angle is not None])


def pose_to_compare(paths: Iterable[Path]) -> Pose:
    """The pose in which NIfTI scans are compared or shown: ``SLICES`` if most of all are thick and oblique.

    Nearly isotropic scans have no slices to keep: ``SLICES`` would leave them in the axes in which they are stored.
    """
    return pose_of_tilts([angle or 0.0 for angle in _tilts(paths)])


def _tilts(paths: Iterable[Path]) -> Iterator[float | None]:
    """Tilts (:func:`mass_nnunet.data.axes.tilt`) of the scans that can be read."""
    for path in paths:
        try:
            affine = np.asarray(nibabel.load(path).affine, float)
        except (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError):
            continue
        spacing = voxel_sizes(affine)
        if np.isfinite(affine).all() and spacing.all():
            directions = (np.diag([-1, -1, 1]) @ affine[:3, :3] / spacing).T[::-1]
            yield tilt(directions, list(spacing[::-1]))


def pose_of_tilts(tilts: Sequence[float]) -> Pose:
    """``SLICES`` if the median of the slices' tilts in degrees is that of oblique scans."""
    return Pose.SLICES if tilts and np.median(tilts) >= OBLIQUE_DEGREES else Pose.UPRIGHT
