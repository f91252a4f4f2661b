"""What is wrong in a NIfTI file, where SimpleITK says nothing: it reads and writes half a file, and mends headers."""

import gzip
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np

from mass_nnunet.errors import UserError

ENDINGS = (".nii", ".nii.gz")
# A compressed file that lacks its end, or whose bytes have changed, gives one of these.
READ_ERRORS = (OSError, EOFError, zlib.error)
_SIZE = 348  # of the header, which is also its first number
_LONGEST_HEADER = 1 << 16  # with extensions


def checked_header(path: Path) -> nibabel.Nifti1Header:
    """The header of a file that holds all of its voxels.

    Raises:
        OSError, EOFError, zlib.error: the file is damaged, or ends too early.
        UserError: its header has no valid voxel size or geometry.
    """
    with _open(path) as stream:
        start = stream.read(_SIZE)
    if len(start) < _SIZE or _SIZE not in (*struct.unpack("<i", start[:4]), *struct.unpack(">i", start[:4])):
        raise OSError("it is no NIfTI-1 file")
    header = nibabel.Nifti1Header(start, check=False)
    shape = header.get_data_shape()
    if not shape or min(shape) < 1 or not header["bitpix"]:
        raise OSError("its header tells of no voxels")
    sizes = header["pixdim"][1 : 1 + min(len(shape), 3)]
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise UserError(f"{path} has the voxel size {' x '.join(f'{s:g}' for s in sizes)} mm: correct its header")
    if not np.isfinite(header.get_best_affine()).all():
        raise UserError(f"{path} has a geometry that is no number: correct its header")
    # Not "<": the offset is a float, and may be NaN.
    if header["magic"] == b"n+1" and not header["vox_offset"] >= _SIZE:
        raise UserError(f"{path} has voxels that begin inside of its header: correct its header")
    with _open(path) as stream:
        length = sum(iter(lambda: len(stream.read(1 << 22)), 0))
    if length < int(header["vox_offset"]) + np.prod(shape) * header.get_data_dtype().itemsize:
        raise OSError("it ends too early")
    return header


def raw_values(path: Path) -> np.ndarray:
    """The values as they stand in the file: for NaN and infinity SimpleITK reads a 0."""
    return np.asanyarray(nibabel.load(path).dataobj.get_unscaled())


def check_finite(path: Path, values: np.ndarray) -> None:
    """Check for NaN and infinity.

    Raises:
        UserError: there are some.
    """
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite (NaN or infinity): repair or remove it")


def check_end(path: Path, voxels: int) -> None:
    """Check that a compressed file just written ends with its length, which gzip puts last, modulo 2**32.

    Args:
        path: of the file.
        voxels: bytes of these.

    Raises:
        OSError: it does not: the disk was full.
    """
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        length = int.from_bytes(stream.read(), "little")
    if not 0 < (length - voxels) % (1 << 32) < _LONGEST_HEADER:
        raise OSError("it ends too early")


def _open(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
