"""A folder of DICOM slices, and of PNG label planes if there are some, as a volume in millimetres.

Label planes are assigned to slices by their file names, but the position of a slice is in its DICOM header. The two
orders may be opposite. So files are first paired by name, then stacked by position.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.volume import label_like, read_image
from mass_nnunet.errors import UserError

from .dicom_slice import DicomSlice, read_slice

# Largest distance of a slice from its position in an evenly spaced, straight stack, in mm and as a share of the step.
_TOLERANCE_MM = 0.1
_TOLERANCE_SHARE = 0.01


def natural_key(path: Path) -> list[str | int]:
    """Sort key under which ``slice2`` comes before ``slice10``."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"([0-9]+)", path.name)]


def pair_by_name(slices: Sequence[Path], planes: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pair DICOM slices and label planes by the natural order of their names.

    Raises:
        UserError: the counts differ, or some names match and others do not (a file of each kind is missing).
    """
    if len(slices) != len(planes):
        raise UserError(
            f"{len(slices)} DICOM slices in {slices[0].parent} but {len(planes)} label planes in {planes[0].parent}: "
            "one plane per slice is needed; copy the case again"
        )
    stems = {path.stem for path in slices}
    strangers = [path for path in planes if path.stem not in stems]
    if 0 < len(strangers) < len(planes):
        raise UserError(
            f"{strangers[0]} has no DICOM slice of that name in {slices[0].parent}, as the others have: "
            "copy the case again"
        )
    return list(zip(sorted(slices, key=natural_key), sorted(planes, key=natural_key), strict=True))


def read_plane(path: Path) -> np.ndarray:
    """Read one PNG as gray values (Y, X).

    Raises:
        UserError: the file is unreadable, or a colour image.
    """
    image = read_image(path)
    if image.GetDimension() != 2 or image.GetNumberOfComponentsPerPixel() != 1:
        raise UserError(f"{path} is not a gray-value image of one channel: convert it to one")
    return sitk.GetArrayFromImage(image)


def read_stack(files: Sequence[Path]) -> sitk.Image:
    """The volume of the slices ``files``, in any order.

    Raises:
        UserError: a slice is missing, doubled, or of another series; see ``order_slices``.
    """
    slices = [read_slice(path) for path in files]
    return _volume([slices[index] for index in order_slices(slices)])


def read_labelled_stack(
    pairs: Sequence[tuple[Path, Path]], decode: Callable[[np.ndarray, Path], np.ndarray]
) -> tuple[sitk.Image, sitk.Image]:
    """The volume of paired slices and its label map (uint8) on the same grid.

    Args:
        pairs: DICOM slice and label plane, see ``pair_by_name``.
        decode: function of the gray values of a plane (Y, X), and of its path for messages, that returns labels.

    Raises:
        UserError: a plane and its slice have different sizes, or as in ``read_stack``.
    """
    slices, planes = [], []
    for slice_path, plane_path in pairs:
        piece, plane = read_slice(slice_path), read_plane(plane_path)
        if plane.shape != piece.pixels.shape:
            raise UserError(
                f"{plane_path} has {plane.shape} rows and columns, but {slice_path} {piece.pixels.shape}: "
                "copy the case again"
            )
        slices.append(piece)
        planes.append(decode(plane, plane_path))
    order = order_slices(slices)
    image = _volume([slices[index] for index in order])
    return image, label_like(image, np.stack([planes[index] for index in order]))


def order_slices(slices: Sequence[DicomSlice]) -> list[int]:
    """Indices of the slices from the lowest to the highest position along their normal.

    Raises:
        UserError: size, spacing or orientation differ, two slices lie at one position, the gaps are uneven
            (a slice is missing), or slices are shifted sideways (a tilted gantry).
    """
    first = slices[0]
    for other in slices[1:]:
        if (
            other.pixels.shape != first.pixels.shape
            or not np.allclose(other.image.GetSpacing()[:2], first.image.GetSpacing()[:2], rtol=1e-3)
            or not np.allclose(other.axes, first.axes, atol=1e-3)
        ):
            raise UserError(
                f"{other.path} differs from {first.path} in size, pixel spacing or orientation: "
                "put each series into a folder of its own"
            )
    places = np.array([piece.origin @ first.axes for piece in slices])  # (N, 3): along row, column, normal
    return order_positions(places, [piece.path for piece in slices])


def order_positions(places: np.ndarray, names: Sequence[Path]) -> list[int]:
    """Indices of slices from the lowest to the highest.

    Args:
        places: (N, 3), mm along a row, along a column, and along the normal.
        names: file of each slice, for messages.

    Raises:
        UserError: two slices lie at one position, the gaps are uneven, or slices are shifted sideways.
    """
    order = np.argsort(places[:, 2], kind="stable").tolist()
    if len(places) == 1:
        return order
    steps = np.diff(places[order], axis=0)
    typical = float(np.median(steps[:, 2]))
    tolerance = max(_TOLERANCE_MM, _TOLERANCE_SHARE * typical)
    for index, (*shift, step) in enumerate(steps):
        lower, upper = names[order[index]], names[order[index + 1]]
        if step < tolerance:
            raise UserError(f"{lower} and {upper.name} lie at the same position: remove the doubled slice")
        if abs(step - typical) > tolerance:
            raise UserError(
                f"{lower} and {upper.name} are {step:.2f} mm apart, the other slices {typical:.2f} mm: "
                "a slice is missing or misplaced; copy the series again"
            )
        if np.hypot(*shift) > tolerance:
            raise UserError(
                f"{upper} is shifted sideways against {lower.name}: a tilted gantry is not "
                "supported; leave the case out with --exclude"
            )
    return order


def _volume(slices: Sequence[DicomSlice]) -> sitk.Image:
    """Stack ordered slices; the step is measured between positions, since SliceThickness may differ from it."""
    first, last = slices[0], slices[-1]
    spacing = list(first.image.GetSpacing())
    if len(slices) > 1:
        spacing[2] = float((last.origin - first.origin) @ first.axes[:, 2]) / (len(slices) - 1)
    return placed_volume(np.stack([piece.pixels for piece in slices]), first.origin, spacing, first.axes)


def placed_volume(voxels: np.ndarray, origin: np.ndarray, spacing: Sequence[float], axes: np.ndarray) -> sitk.Image:
    """Voxels (Z, Y, X) as a volume.

    Args:
        voxels: (Z, Y, X).
        origin: centre of the first voxel, LPS mm.
        spacing: (x, y, z) mm.
        axes: (3, 3), unit vectors of x, y, z as columns, LPS.
    """
    volume = sitk.GetImageFromArray(voxels)
    volume.SetOrigin(np.asarray(origin, float).tolist())
    volume.SetSpacing([float(value) for value in spacing])
    volume.SetDirection(axes.ravel().tolist())
    return volume
