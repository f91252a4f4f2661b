"""Checks of NIfTI files that SimpleITK does not make: it accepts truncated files and silently replaces bad headers."""

import gzip
import os
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import nibabel
import numpy as np

from mass_nnunet.errors import UserError

ENDINGS = (".nii", ".nii.gz")
# Raised when a compressed file is read and its end is missing or its bytes have changed.
READ_ERRORS = (OSError, EOFError, zlib.error)
_SIZE = 348  # bytes of the header, which begins with this number
_LONGEST_HEADER = 1 << 16  # bytes, with extensions


def checked_header(path: Path) -> nibabel.Nifti1Header:
    """Read the header of a file, and check that the file holds all voxels.

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
        raise OSError("its header describes no voxels")
    sizes = header["pixdim"][1 : 1 + min(len(shape), 3)]
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise UserError(f"{path} has the voxel size {' x '.join(f'{s:g}' for s in sizes)} mm: correct its header")
    if not np.isfinite(header.get_best_affine()).all():
        raise UserError(f"{path} has a geometry with NaN or infinity: correct its header")
    # Not "<": the offset is a float and may be NaN.
    if header["magic"] == b"n+1" and not header["vox_offset"] >= _SIZE:
        raise UserError(f"{path} has voxels that begin inside its header: correct its header")
    with _open(path) as stream:
        length = sum(iter(lambda: len(stream.read(1 << 22)), 0))
    if length < int(header["vox_offset"]) + np.prod(shape) * header.get_data_dtype().itemsize:
        raise OSError("it ends too early")
    return header


def raw_values(path: Path) -> np.ndarray:
    """Stored values of a file, with NaN and infinity, which SimpleITK would read as 0."""
    return np.asanyarray(nibabel.load(path).dataobj.get_unscaled())


def check_finite(path: Path, values: np.ndarray) -> None:
    """Make sure that there is no NaN and no infinity.

    Raises:
        UserError: there is one.
    """
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite (NaN or infinity): repair or remove it")


def check_end(path: Path, voxels: int) -> None:
    """Check that a compressed file was written to its end: there gzip stores the uncompressed length modulo 2**32.

    Args:
        path: the file.
        voxels: size of the uncompressed voxels, in bytes.

    Raises:
        OSError: the length differs, because the disk was full.
    """
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        length = int.from_bytes(stream.read(), "little")
    if not 0 < (length - voxels) % (1 << 32) < _LONGEST_HEADER:
        raise OSError("it ends too early")


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
