"""Reading, comparing and writing volumes, with one library for image and label: SimpleITK, LPS coordinates in mm."""

import gzip
import os
import zlib
from itertools import product
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np
import SimpleITK as sitk

from .errors import UserError
from .files import atomic_path

# The patient's side at which each axis ends (x, y, z), as in nibabel; nnU-Net's NibabelIOWithReorient reads into it.
ORIENTATION = "RAS"
# Corners of two grids, in voxels: up to here they are the same, up to there a header was rounded or cut short.
SAME_GRID, SIMILAR_GRID = 0.01, 0.5
# Axes that are a little off the right angle, as rounded headers have them, are put right instead of refused; how far
# they are off is checked below, and said in one line where ITK would print several.
os.environ.setdefault("ITK_NIFTI_SFORM_PERMISSIVE", "ON")
sitk.ProcessObject.GlobalWarningDisplayOff()
# Bytes before the voxels in a NIfTI file: the header, and extensions to it.
_LONGEST_HEADER = 1 << 16
# Bits a voxel in the file, which SimpleITK reports of NIfTI files only.
_NIFTI_BITS = "bitpix"


def read_image(path: Path) -> sitk.Image:
    """Read any image file that SimpleITK knows (NIfTI, DICOM, PNG).

    Raises:
        UserError: the file is absent, truncated or no image, or its NIfTI header has no valid geometry.
    """
    try:
        image = sitk.ReadImage(str(path))
        if image.HasMetaDataKey(_NIFTI_BITS):
            _check_whole(path, image)
            _check_header(path, image)
        return image
    except (RuntimeError, OSError, EOFError, zlib.error) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("sitk::ERROR: ").replace(f' for "{path}"', "")
        raise UserError(f"{path} cannot be read ({reason}): copy or download it again") from None


def _check_whole(path: Path, image: sitk.Image) -> None:
    """Check that a NIfTI file holds all voxels: SimpleITK neither says that it reads, nor that it writes half a file.

    Raises:
        OSError, EOFError, zlib.error: it does not.
    """
    with _open(path) as stream:
        length = _length(stream)
    if length < image.GetNumberOfPixels() * int(image.GetMetaData(_NIFTI_BITS)) // 8:
        raise OSError("it ends too early")


def _open(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _length(stream: BinaryIO) -> int:
    """Number of bytes from here to the end, read piece by piece."""
    return sum(iter(lambda: len(stream.read(1 << 22)), 0))


def _check_header(path: Path, image: sitk.Image) -> None:
    """Check what SimpleITK replaces in silence: a voxel size of zero, and a geometry that nibabel reads otherwise.

    nnU-Net reads with nibabel. Where the two libraries differ, sides get swapped on the way.

    Raises:
        UserError: the header has no valid voxel size, or two geometries.
    """
    with _open(path) as stream:
        header = nibabel.Nifti1Header.from_fileobj(stream, check=False)
    sizes = header["pixdim"][1 : 1 + image.GetDimension()]
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise UserError(f"{path} has the voxel size {' x '.join(f'{s:g}' for s in sizes)} mm: correct its header")
    if image.GetDimension() == 3:
        lps = nibabel.affines.apply_affine(np.diag([-1, -1, 1, 1]) @ header.get_best_affine(), _ends(image))
        # Not ">": where a number of the header is NaN, so is the distance.
        if not np.abs(lps - corners(image)).max() <= SIMILAR_GRID * min(image.GetSpacing()):
            raise UserError(
                f"{path} has a geometry that programs read differently (axes not at right angles, or qform and sform "
                "that differ): correct its header"
            )


def _check_end(path: Path, image: sitk.Image) -> None:
    """Check that a NIfTI file just written ends with its length, which gzip puts last, modulo 2**32.

    Raises:
        OSError: it does not: the disk was full, and SimpleITK has not noticed.
    """
    voxels = image.GetNumberOfPixels() * image.GetSizeOfPixelComponent()
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        written = int.from_bytes(stream.read(), "little")
    if not 0 < (written - voxels) % (1 << 32) < _LONGEST_HEADER:
        raise OSError("it ends too early")


def read_volume(path: Path) -> sitk.Image:
    """Read one scan or label map: three axes, one channel.

    Raises:
        UserError: the file is something else, or holds NaN or infinity.
    """
    image = read_image(path)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        size = " x ".join(map(str, image.GetSize()))
        channels = image.GetNumberOfComponentsPerPixel()
        raise UserError(
            f"{path} is not one three-dimensional scan (size {size}, {channels} values a voxel): take it apart first"
        )
    if "complex" in image.GetPixelIDTypeAsString():
        raise UserError(f"{path} has complex values: convert it to magnitudes")
    _check_finite(path, image)
    return image


def _check_finite(path: Path, image: sitk.Image) -> None:
    """Check for NaN and infinity, in whose place SimpleITK reads a 0 from NIfTI files.

    Raises:
        UserError: there are some.
    """
    if "float" not in image.GetPixelIDTypeAsString():
        return
    if image.HasMetaDataKey(_NIFTI_BITS):
        values = np.asanyarray(nibabel.load(path).dataobj.get_unscaled())
    else:
        values = sitk.GetArrayViewFromImage(image)
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite (NaN or infinity): repair or remove it")


def corners(image: sitk.Image) -> np.ndarray:
    """Physical position of the eight corner voxels, (8, 3) in mm, in the order of the grid's indices."""
    return np.array([image.TransformIndexToPhysicalPoint(index) for index in _ends(image).tolist()])


def _ends(image: sitk.Image) -> np.ndarray:
    """Indices (x, y, z) of the eight corner voxels, (8, 3)."""
    return np.array(list(product(*((0, size - 1) for size in image.GetSize()))))


def grid_distance(first: sitk.Image, second: sitk.Image) -> float:
    """How far voxel (i, j, k) of one grid lies from that of the other, in voxels of the first; inf if sizes differ.

    The largest distance of the corners, over the smallest edge of a voxel.
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


def compact(image: sitk.Image) -> sitk.Image:
    """The same values as int16 where that loses nothing, as float32 otherwise."""
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
    """Write an image, compressed, whole or not at all.

    Raises:
        UserError: it could not be written whole.
    """
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
            if temporary.suffix == ".gz":
                _check_end(temporary, image)
        except (RuntimeError, OSError, EOFError, zlib.error) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"{path} cannot be written ({reason}): make room on the disk") from None
