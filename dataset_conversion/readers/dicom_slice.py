"""One DICOM slice: its pixels, where it lies in the patient, and what of its file has to be checked by hand."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.volume import read_image
from mass_nnunet.errors import UserError

_ECHO_TIME = "0018|0081"
# Where a slice lies, in so many numbers; SimpleITK puts in defaults for what is absent.
_GEOMETRY = {"position": ("0020|0032", 3), "orientation": ("0020|0037", 6), "pixel spacing": ("0028|0030", 2)}
_ROWS, _COLUMNS, _BITS = "0028|0010", "0028|0011", "0028|0100"
# In the file: how its pixels are stored, which SimpleITK does not tell, and the tag of the pixels.
_TRANSFER_SYNTAX = re.compile(rb"\x02\x00\x10\x00UI..([0-9.]+)", re.DOTALL)
_UNCOMPRESSED = (b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1")
_PIXELS = re.compile(re.escape(b"\xe0\x7f\x10\x00"))


@dataclass(frozen=True)
class Slice:
    """One DICOM slice; positions in LPS mm."""

    path: Path
    image: sitk.Image

    @property
    def pixels(self) -> np.ndarray:
        return sitk.GetArrayViewFromImage(self.image)[0]  # (Y, X)

    @property
    def origin(self) -> np.ndarray:
        return np.array(self.image.GetOrigin())

    @property
    def axes(self) -> np.ndarray:
        """Columns: unit vectors along a row, along a column, and the slice normal, right-handed."""
        direction = np.array(self.image.GetDirection()).reshape(3, 3)
        direction[:, 2] = np.cross(direction[:, 0], direction[:, 1])
        return direction


def read_slice(path: Path) -> Slice:
    """Read one slice with its position, and the rescale slope and intercept applied.

    Raises:
        UserError: unreadable or truncated, more than one slice or channel, or no position in space.
    """
    header = _header(path)
    # Before the pixels are read: of a geometry that is none, ITK's numerics print a page.
    if header is not None:
        if header.GetDimension() != 3 or header.GetSize()[2] != 1 or header.GetNumberOfComponents() != 1:
            raise UserError(f"{path} is not one gray-value slice (size {header.GetSize()}): give one file a slice")
        _check_slice(path, header)
    return Slice(path, read_image(path))


def _header(path: Path) -> sitk.ImageFileReader | None:
    """What a file's header tells, None where it cannot be read."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return reader


def _check_slice(path: Path, header: sitk.ImageFileReader) -> None:
    """Check what SimpleITK passes over: pixels that are not there, and a geometry that the header does not tell.

    Raises:
        UserError: the file is truncated, or its header lacks position, orientation or pixel spacing.
    """

    def tag(key: str) -> str:
        return header.GetMetaData(key).strip("\0 ") if header.HasMetaDataKey(key) else ""

    geometry = {}
    for what, (key, count) in _GEOMETRY.items():
        try:
            geometry[what] = np.array(tag(key).split("\\"), float)
        except ValueError:
            geometry[what] = np.array([])
        if len(geometry[what]) != count or not np.isfinite(geometry[what]).all():
            raise UserError(f"{path} has no {what} in its DICOM header, and so no place in the scan: export it again")
    if geometry["pixel spacing"].min() <= 0:
        raise UserError(f"{path} has the pixel spacing {tag(_GEOMETRY['pixel spacing'][0])} mm: export it again")
    row, column = geometry["orientation"].reshape(2, 3)
    if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-2):
        raise UserError(f"{path} has an orientation that is none, {tag(_GEOMETRY['orientation'][0])}: export it again")
    needed = int(tag(_ROWS)) * int(tag(_COLUMNS)) * int(tag(_BITS)) // 8
    if pixel_bytes(path.read_bytes(), needed) < needed:
        raise UserError(f"{path} cannot be read (it ends too early): copy or download it again")


def pixel_bytes(content: bytes, expected: int) -> int:
    """How many bytes of pixels a DICOM file has; ``expected`` where they are compressed, or there is no telling.

    Pixels are the last element. The four bytes of its tag may occur elsewhere by chance; only where the length that
    follows leads to the end of the file do they begin the pixels.
    """
    syntax = _TRANSFER_SYNTAX.search(content)
    if syntax is not None and syntax[1] not in _UNCOMPRESSED:
        return expected
    for found in re.finditer(_PIXELS, content):
        explicit = content[found.end() : found.end() + 2] in (b"OW", b"OB")
        start = found.end() + (8 if explicit else 4)
        length = int.from_bytes(content[start - 4 : start], "little")
        if start + length == len(content):
            return length
    return min(expected, len(content))


def echo_time(path: Path) -> float:
    """The echo time of a DICOM slice in ms, from its header alone.

    Raises:
        UserError: unreadable, or the header has none.
    """
    header = _header(path)
    text = header.GetMetaData(_ECHO_TIME) if header is not None and header.HasMetaDataKey(_ECHO_TIME) else ""
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"{path} has no echo time in its DICOM header, which tells the phases apart: "
            "sort the folder into InPhase and OutPhase"
        ) from None
