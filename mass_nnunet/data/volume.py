"""Reading, comparing and writing volumes, with one library for image and label: SimpleITK, LPS coordinates in mm."""

import os
import re
from itertools import product
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nibabel.affines import apply_affine
from nibabel.orientations import io_orientation

from mass_nnunet.errors import UserError

from .files import atomic_path, check_link
from .nifti_file import READ_ERRORS, check_end, check_finite, checked_header, is_nifti, raw_values, sound_header

# The side of the patient at which each axis ends (x, y, z), as in nibabel; nnU-Net's NibabelIOWithReorient uses it.
ORIENTATION = "RAS"
# Largest distance in voxels between corresponding corners of two equal grids: exact headers, and rounded headers.
SAME_GRID, SIMILAR_GRID = 0.01, 0.5
# With this setting ITK accepts and corrects axes that are slightly off the right angle, as in rounded headers.
# _check_geometry refuses larger errors with one line; ITK would print several.
os.environ.setdefault("ITK_NIFTI_SFORM_PERMISSIVE", "ON")
sitk.ProcessObject.GlobalWarningDisplayOff()


def read_image(path: Path) -> sitk.Image:
    """Read any image file that SimpleITK knows (NIfTI, DICOM, PNG).

    Raises:
        UserError: the file is absent, truncated or no image, or its NIfTI header has no valid geometry.
    """
    try:
        check_link(path)
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no file: remove it, or copy the file that should be there")
        path.open("rb").close()
    except OSError as error:  # SimpleITK would say that the file does not exist
        raise UserError(f"{path} cannot be read ({error.strerror}): check the file and its permissions") from None
    except UnicodeError:
        raise UserError(f"{path} has a name that is not UTF-8: rename it") from None
    try:
        header = checked_header(path) if is_nifti(path) else None
        image = sitk.ReadImage(str(path))
    except (RuntimeError, *READ_ERRORS) as error:
        raise _unreadable(path, error) from None
    if header is not None and image.GetDimension() == 3:
        _check_geometry(path, image, header.get_best_affine())
    return image


def check_header(path: Path) -> None:
    """Make sure that nnU-Net takes the header of a NIfTI file as :func:`read_image` does; no voxel is read.

    Raises:
        UserError: it does not, or the header cannot be read.
    """
    check_link(path)
    try:
        if is_nifti(path):
            header = sound_header(path)
            shape = header.get_data_shape()
            if len(shape) != 3:
                size = " x ".join(map(str, shape))
                raise UserError(f"{path} is not one three-dimensional scan (size {size}): split it first")
            if np.isnan(io_orientation(header.get_best_affine())).any():
                raise UserError(f"{path} has a geometry in which an axis has no direction: correct its header")
    except READ_ERRORS as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be read ({_reason(error, path)}): copy or download it again")


def _reason(error: Exception, path: Path) -> str:
    """The last line of an error, without the address of the ITK object, the checksums, and the file's name."""
    last = (
        str(error)
        .strip()
        .splitlines()[-1]
        .removeprefix("sitk::ERROR: ")
        .removeprefix("ITK ERROR: ")
        .replace(f' for "{path}"', "")
    )
    return re.sub(r"\w+ ?\(0x[0-9a-f]+\): | 0x[0-9a-f]+ != 0x[0-9a-f]+", "", last).removesuffix(f": {path}")


def _check_geometry(path: Path, image: sitk.Image, affine: np.ndarray) -> None:
    """Check that SimpleITK and nibabel, with which nnU-Net reads, place a scan alike; otherwise sides may be swapped.

    Args:
        path: path of the file.
        image: the scan, read by SimpleITK.
        affine: nibabel's affine, from indices to RAS mm.

    Raises:
        UserError: they place a corner more than half a voxel apart.
    """
    lps = apply_affine(np.diag([-1, -1, 1, 1]) @ affine, _ends(image))
    if np.abs(lps - corners(image)).max() > SIMILAR_GRID * min(image.GetSpacing()):
        raise UserError(
            f"{path} has a geometry that programs read differently (axes not at right angles, or qform and sform that "
            "differ): correct its header"
        )


def read_volume(path: Path) -> sitk.Image:
    """Read one scan or label map: three axes, one channel.

    Raises:
        UserError: the file is something else, or holds NaN or infinity.
    """
    image = read_image(path)
    if image.GetDimension() == 2 or (image.GetDimension() == 3 and min(image.GetSize()) == 1):
        size = " x ".join(map(str, image.GetSize()))
        raise UserError(f"{path} is a single slice ({size}): 3D only, make a volume of all slices")
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        size = " x ".join(map(str, image.GetSize()))
        channels = image.GetNumberOfComponentsPerPixel()
        raise UserError(
            f"{path} is not one three-dimensional scan (size {size}, {channels} values per voxel): split it first"
        )
    if "complex" in image.GetPixelIDTypeAsString():
        raise UserError(f"{path} has complex values: convert it to magnitudes")
    if "float" in image.GetPixelIDTypeAsString():
        check_finite(path, raw_values(path) if is_nifti(path) else sitk.GetArrayViewFromImage(image))
    return image


def corners(image: sitk.Image) -> np.ndarray:
    """Positions of the eight corner voxels, (8, 3), LPS mm, in the order of the grid's indices."""
    return np.array([image.TransformIndexToPhysicalPoint(index) for index in _ends(image).tolist()])


def _ends(image: sitk.Image) -> np.ndarray:
    """Indices (x, y, z) of the eight corner voxels, (8, 3)."""
    return np.array(list(product(*((0, size - 1) for size in image.GetSize()))))


def grid_distance(first: sitk.Image, second: sitk.Image) -> float:
    """Largest distance between corresponding corners of two grids, in voxels of the first; inf if sizes differ.

    The distance in mm is divided by the smallest edge of a voxel.
    """
    if first.GetSize() != second.GetSize():
        return float("inf")
    distance = np.linalg.norm(corners(first) - corners(second), axis=1).max()
    return float(distance / min(first.GetSpacing()))


def describe_grid(image: sitk.Image) -> str:
    """Size, spacing, origin and axes in one line, for messages."""
    axes = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    spacing, origin = (" x ".join(f"{value:.4g}" for value in v) for v in (image.GetSpacing(), image.GetOrigin()))
    return f"{' x '.join(map(str, image.GetSize()))} voxels of {spacing} mm at {origin}, axes {axes}"


def aligned(label: sitk.Image, image: sitk.Image) -> sitk.Image:
    """``label`` with its axes in the order and direction of those of ``image``; no voxel is resampled."""
    axes = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return sitk.DICOMOrient(label, axes)


def on_grid_of(
    image: sitk.Image, image_file: Path, label: sitk.Image, label_file: Path
) -> tuple[sitk.Image, tuple[str, ...]]:
    """The label map with the axes of its image, and a note where their headers differ a little.

    Voxels in another order are reordered. If the corners of the grids differ by up to half a voxel (rounded numbers in
    a header), the image's header is used.

    Raises:
        UserError: the grids differ by more.
    """
    turned = aligned(label, image)
    distance = grid_distance(image, turned)
    if distance > SIMILAR_GRID:
        raise UserError(
            f"{label_file} ({describe_grid(label)}) is not on the grid of {image_file} ({describe_grid(image)}): "
            "get the label map that belongs to this scan"
        )
    if distance > SAME_GRID:
        return turned, (f"the header of {label_file} differs by {distance:.2f} voxels: that of the image is taken",)
    return turned, ()


def compact(image: sitk.Image) -> sitk.Image:
    """The same image as int16 if all values fit, otherwise as float32."""
    values = sitk.GetArrayViewFromImage(image)
    limits = np.iinfo(np.int16)
    fits = limits.min <= values.min() and values.max() <= limits.max
    if fits and not np.issubdtype(values.dtype, np.integer):
        fits = np.array_equal(values, np.rint(values))
    return sitk.Cast(image, sitk.sitkInt16 if fits else sitk.sitkFloat32)


def label_like(image: sitk.Image, label: np.ndarray) -> sitk.Image:
    """A label map (Z, Y, X) as a uint8 volume on the grid of ``image``."""
    volume = sitk.GetImageFromArray(label.astype(np.uint8, copy=False))
    volume.CopyInformation(image)
    return volume


def write_volume(image: sitk.Image, path: Path) -> None:
    """Write an image, compressed, completely or not at all.

    Raises:
        OSError: the system does not let it be written, because of permissions, for example.
        UserError: it could not be written completely.
    """
    with atomic_path(path) as temporary:
        temporary.touch()  # the system says why it cannot be written, SimpleITK does not
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise UserError(f"{path} cannot be written ({_reason(error, temporary)}): check its name") from None
        if temporary.suffix == ".gz":
            try:
                check_end(temporary, image.GetNumberOfPixels() * image.GetSizeOfPixelComponent())
            except OSError as error:
                raise UserError(f"{path} cannot be written ({error}): make room on the disk") from None
