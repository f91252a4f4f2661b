"""Checks of NIfTI files that SimpleITK does not make: it accepts truncated files and silently replaces bad headers."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError

from mass_nnunet.errors import UserError

ENDINGS = (".nii", ".nii.gz")
# Raised when a compressed file is read and its end is missing or its bytes have changed.
READ_ERRORS = (OSError, EOFError, zlib.error)
_SIZE, _SIZE_OF_NIFTI_2 = 348, 540  # bytes of the header, which begins with this number
_FIRST = 352  # where voxels can begin: after the header and the mark of its extensions
_GZIP = b"\x1f\x8b"
_OTHER_UNITS = {1: "meter", 3: "micron"}
"""Codes of units other than mm in the header. SimpleITK converts them, nibabel does not."""
_LONGEST_HEADER = 1 << 16  # bytes, with extensions


def is_nifti(path: Path) -> bool:
    """Whether a file is NIfTI by its name, in whatever letters."""
    return path.name.lower().endswith(ENDINGS)


def checked_header(path: Path) -> nibabel.Nifti1Header:
    """Read the header of a file, and check that the file holds all voxels.

    Raises:
        OSError, EOFError, zlib.error: the file is damaged, or ends too early.
        UserError: see :func:`sound_header`.
    """
    header = sound_header(path)
    with _open(path) as stream:
        length = sum(iter(lambda: len(stream.read(1 << 22)), 0))
    voxels = math.prod(int(size) for size in header.get_data_shape())
    if length < int(header["vox_offset"]) + voxels * header.get_data_dtype().itemsize:
        raise OSError("it ends too early")
    return header


def sound_header(path: Path) -> nibabel.Nifti1Header:
    """Read the header of a file, and check that it means the same to SimpleITK and to nibabel, and so to nnU-Net.

    Raises:
        OSError, EOFError, zlib.error: the file is damaged.
        UserError: its name does not say whether it is compressed, it is another kind of NIfTI, or its header has no
            valid voxel size, unit or geometry.
    """
    _check_compression(path)
    with _open(path) as stream:
        start = stream.read(_SIZE)
    if _SIZE_OF_NIFTI_2 in _sizes(start):
        raise UserError(f"{path} is a NIfTI-2 file, which SimpleITK does not read: save it as NIfTI-1")
    if _SIZE not in _sizes(start):
        raise OSError("it is no NIfTI file")
    header = nibabel.Nifti1Header(start, check=False)
    shape = header.get_data_shape()
    if not shape or min(shape) < 1 or not header["bitpix"]:
        raise OSError("its header describes no voxels")
    try:
        header.get_data_dtype()
    except (KeyError, HeaderDataError):
        raise OSError("its header names no type of voxels") from None
    if header["magic"] != b"n+1":
        kind = "the header of a pair of files (.hdr, .img)" if header["magic"] == b"ni1" else "an Analyze file"
        raise UserError(f"{path} is {kind}: save it as NIfTI in one file")
    _check_geometry(header, path)
    try:
        header.get_slope_inter()
    except HeaderDataError:
        raise UserError(f"{path} has a scale factor or an intercept that is not valid: correct its header") from None
    # Not "<": the offset is a float and may be NaN.
    if not _FIRST <= header["vox_offset"] < np.inf:
        raise UserError(f"{path} has an invalid offset of its voxels (vox_offset): correct its header")
    return header


def _check_geometry(header: nibabel.Nifti1Header, path: Path) -> None:
    """Make sure that voxel size, unit and affine are valid.

    Raises:
        UserError: one of them is not.
    """
    sizes = header["pixdim"][1 : 1 + min(len(header.get_data_shape()), 3)]
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise UserError(f"{path} has the voxel size {' x '.join(f'{s:g}' for s in sizes)} mm: correct its header")
    if (unit := int(header["xyzt_units"]) & 7) in _OTHER_UNITS:
        raise UserError(
            f"{path} gives its voxel size in {_OTHER_UNITS[unit]}, which nnU-Net takes for mm: write its header in mm"
        )
    try:
        affine = header.get_best_affine()
        if header["qform_code"] > 0:
            header.get_qform_quaternion()
    except ValueError:
        raise UserError(f"{path} has a qform that is no rotation: correct its header") from None
    if not np.isfinite(affine).all():
        raise UserError(f"{path} has a geometry with NaN or infinity: correct its header")


def _check_compression(path: Path) -> None:
    """Make sure that a file is compressed if its name ends with .gz, and only then: nibabel believes the name.

    Raises:
        UserError: it is otherwise.
    """
    with path.open("rb") as stream:
        start = stream.read(_SIZE)
    is_compressed, named = start.startswith(_GZIP), path.name.lower().endswith(".gz")
    if is_compressed and not named:
        raise UserError(f"{path} is compressed, but its name does not end with .gz: rename it to {path.name}.gz")
    if named and {_SIZE, _SIZE_OF_NIFTI_2} & set(_sizes(start)):
        plain = path.name[: -len(".gz")]
        raise UserError(f"{path} is not compressed: rename it to {plain}, or compress it (gzip {plain})")
    if named and start and not is_compressed:
        raise OSError("it is no NIfTI file")


def _sizes(start: bytes) -> tuple[int, ...]:
    """The number with which a header begins, in both byte orders; nothing for a file that is too short."""
    return struct.unpack("<i", start[:4]) + struct.unpack(">i", start[:4]) if len(start) == _SIZE else ()


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
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")
