"""Voxels of a stack, in the order of its slices; and the slices of a tilted gantry, shifted back to right angles."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from scipy.ndimage import shift

from mass_nnunet.data.volume import label_like
from mass_nnunet.dataset_conversion.readers.dicom_slice import read_slice
from mass_nnunet.dataset_conversion.readers.dicom_stack import placed_volume
from mass_nnunet.errors import UserError

from .instance import Plane
from .stacks import Stack

_AGAIN = "copy or export it again"
_REMEDY = "pip install 'mass-nnunet[dicom]', or export it uncompressed"


def read_voxels(stack: Stack, name: str) -> np.ndarray:
    """Rescaled intensities (Z, Y, X) of the slices.

    Args:
        stack: an evenly spaced stack.
        name: name of the series in messages, instead of the files' names, which may be those of patients.

    Raises:
        UserError: a file cannot be read or decoded, or ends too early.
    """
    frames: dict[Path, np.ndarray] = {}
    slices = []
    for plane in stack.planes:
        if plane.frame is None:
            slices.append(_single(plane, f"{name}/slice {plane.number}"))
        else:
            if plane.path not in frames:
                frames = {plane.path: _frames(plane.path, name)}
            slices.append(frames[plane.path][plane.frame])
    return np.stack(slices)


def _single(plane: Plane, name: str) -> np.ndarray:
    try:
        read = read_slice(plane.path)  # its pixels are a view of it
        return read.pixels.copy()
    except UserError as error:
        reason = str(error).replace(str(plane.path), name)
    try:
        return _frames(plane.path, name)[0]  # in case of a transfer syntax that SimpleITK does not know
    except UserError as error:
        raise UserError(str(error) if _REMEDY in str(error) else reason) from None


def _frames(path: Path, name: str) -> np.ndarray:
    """Rescaled frames (N, Y, X) of a file, decoded by pydicom."""
    with quietly(name):
        dataset = dcmread(path, force=True)
        syntax = dataset.file_meta.TransferSyntaxUID
        try:
            pixels = dataset.pixel_array
        except Exception as error:
            if "no available" not in str(error) and "missing required dependencies" not in str(error):
                raise
            raise UserError(f"{name} is compressed as {syntax.name}: {_REMEDY}") from None
        pixels = pixels.reshape(-1, *pixels.shape[-2:])
        scales = [_rescaling(dataset, index) for index in range(len(pixels))]
    if all(scale == (1, 0) for scale in scales):
        return pixels
    return np.stack([frame * slope + intercept for frame, (slope, intercept) in zip(pixels, scales, strict=True)])


def _rescaling(dataset: Dataset, index: int) -> tuple[float, float]:
    """Slope and intercept of a frame: its own, that of all frames, or the file's."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    groups = [*own[index : index + 1], *(dataset.get("SharedFunctionalGroupsSequence") or ())]
    holders = [item for group in groups for item in group.get("PixelValueTransformationSequence") or ()]
    for holder in (*holders, dataset):
        if "RescaleSlope" in holder:
            return float(holder.RescaleSlope), float(holder.get("RescaleIntercept", 0))
    return 1.0, 0.0


@contextmanager
def quietly(name: str) -> Iterator[None]:
    """Turn any error of pydicom into one line without values of the header, and silence its warnings.

    Raises:
        UserError: the block raised.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror}): check the file and its permissions") from None
    except Exception:  # its text may quote the header
        raise UserError(f"{name} cannot be read (it is damaged): {_AGAIN}") from None


def image_of(stack: Stack, voxels: np.ndarray) -> sitk.Image:
    """The scan (Z, Y, X) of a stack in space. The slices of a tilted gantry are shifted back, interpolated linearly."""
    straight, origin = _straightened(stack, voxels, 1, float(voxels.min()))
    return _placed(stack, straight, origin)


def label_of(stack: Stack, label: np.ndarray) -> sitk.Image:
    """A label map (Z, Y, X) on a stack's slices, on the grid of :func:`image_of`."""
    straight, origin = _straightened(stack, label, 0, 0)
    image = _placed(stack, straight, origin)
    return label_like(image, straight)


def slices_of(stack: Stack, label: np.ndarray) -> np.ndarray:
    """A label map on the grid of :func:`image_of` back on the slices of the stack, (Z, Y, X)."""
    rows, columns = stack.planes[0].size
    shifts, (before_y, before_x), _ = _shifts(stack)
    moved = [shift(plane, (-y, -x), order=0) for plane, (y, x) in zip(label, shifts, strict=True)]
    return np.stack(moved)[:, before_y : before_y + rows, before_x : before_x + columns]


def tilt_note(stack: Stack, name: str) -> tuple[str, ...]:
    """A note if the gantry was tilted."""
    if not any(stack.shear):
        return ()
    angle = np.degrees(np.arctan(np.hypot(*stack.shear)))
    return (f"the gantry of {name} was tilted by {angle:.1f} degrees: its slices are shifted back, interpolated",)


def _shifts(stack: Stack) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    """Shift of each slice in pixels (N, 2), rows and columns; and pixels to add before and behind."""
    first = stack.planes[0]
    heights = np.arange(len(stack.planes)) * stack.step
    per_mm = np.array([stack.shear[1] / first.spacing[0], stack.shear[0] / first.spacing[1]])
    shifts = np.outer(heights, per_mm)
    before = np.ceil(-shifts.min(axis=0) - 1e-6).astype(int)
    behind = np.ceil(shifts.max(axis=0) - 1e-6).astype(int)
    return shifts, (int(before[0]), int(before[1])), (int(behind[0]), int(behind[1]))


def _straightened(stack: Stack, voxels: np.ndarray, order: int, empty: float) -> tuple[np.ndarray, np.ndarray]:
    """Voxels on a grid with right angles, and the position of its first voxel."""
    origin = np.array(stack.planes[0].position)
    if not any(stack.shear):
        return voxels, origin
    shifts, before, behind = _shifts(stack)
    margins = tuple(zip(before, behind, strict=True))
    kind = np.float32 if order else voxels.dtype
    wide = np.pad(voxels.astype(kind), ((0, 0), *margins), constant_values=empty)
    moved = np.stack([shift(plane, by, order=order, cval=empty) for plane, by in zip(wide, shifts, strict=True)])
    if order and np.issubdtype(voxels.dtype, np.integer):
        moved = np.rint(moved).astype(voxels.dtype)
    first, axes = stack.planes[0], stack.axes
    return moved, origin - axes[:, 0] * before[1] * first.spacing[1] - axes[:, 1] * before[0] * first.spacing[0]


def _placed(stack: Stack, voxels: np.ndarray, origin: np.ndarray) -> sitk.Image:
    first = stack.planes[0]
    return placed_volume(voxels, origin, (first.spacing[1], first.spacing[0], stack.step), stack.axes)
