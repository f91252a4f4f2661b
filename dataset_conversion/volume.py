"""Reading, comparing and writing volumes, with one library for image and label: SimpleITK, LPS coordinates in mm."""

import gzip
import zlib
from itertools import product
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from mass_nnunet.errors import UserError
from mass_nnunet.files import atomic_path

# The patient's side at which each axis ends (x, y, z), as in nibabel; nnU-Net's NibabelIOWithReorient reads into it.
ORIENTATION = "RAS"
# Two grids are the same if no corner of theirs differs by more than this share of a voxel.
GRID_TOLERANCE = 0.1
# Bits a voxel in the file, which SimpleITK reports of NIfTI files only.
_NIFTI_BITS = "bitpix"


def read_image(path: Path) -> sitk.Image:
    """Read any image file that SimpleITK knows (NIfTI, DICOM, PNG).

    Raises:
        UserError: the file is absent, truncated or no image.
    """
    try:
        image = sitk.ReadImage(str(path))
        if image.HasMetaDataKey(_NIFTI_BITS):
            _check_whole(path, image)
        return image
    except (RuntimeError, OSError, EOFError, zlib.error) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("sitk::ERROR: ").replace(f' for "{path}"', "")
        raise UserError(f"{path} cannot be read ({reason}): copy or download it again") from None


def _check_whole(path: Path, image: sitk.Image) -> None:
    """Check that a NIfTI file holds all voxels: SimpleITK neither says that it reads, nor that it writes half a file.

    Raises:
        OSError, EOFError, zlib.error: it does not.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        length = _length(stream)
    if length < image.GetNumberOfPixels() * int(image.GetMetaData(_NIFTI_BITS)) // 8:
        raise OSError("it ends too early")


def _length(stream: BinaryIO) -> int:
    """Number of bytes from here to the end, read piece by piece."""
    return sum(iter(lambda: len(stream.read(1 << 22)), 0))


def read_volume(path: Path) -> sitk.Image:
    """Read one scan or label map: three axes, one channel.

    Raises:
        UserError: the file is something else.
    """
    image = read_image(path)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        size = " x ".join(map(str, image.GetSize()))
        raise UserError(f"{path} is not one three-dimensional scan (size {size}): take it apart first")
    return image


def corners(image: sitk.Image) -> np.ndarray:
    """Physical position of the eight corner voxels, (8, 3) in mm, in the order of the grid's indices."""
    ends = product(*((0, size - 1) for size in image.GetSize()))
    return np.array([image.TransformIndexToPhysicalPoint(index) for index in ends])


def same_grid(first: sitk.Image, second: sitk.Image) -> bool:
    """Whether voxel (i, j, k) of both is the same place in the body, within a tenth of a voxel."""
    if first.GetSize() != second.GetSize():
        return False
    distance = np.linalg.norm(corners(first) - corners(second), axis=1).max()
    return distance <= GRID_TOLERANCE * min(first.GetSpacing())


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
    """Write compressed NIfTI in RAS orientation: axes are swapped and flipped, no voxel is resampled.

    Raises:
        UserError: it could not be written whole.
    """
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(sitk.DICOMOrient(image, ORIENTATION), str(temporary), useCompression=True)
            with gzip.open(temporary) as stream:
                _length(stream)  # raises unless the stream ends with its checksum
        except (RuntimeError, OSError, EOFError, zlib.error) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"{path} cannot be written ({reason}): make room on the disk") from None
