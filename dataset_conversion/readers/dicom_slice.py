"""One DICOM slice: its pixels and its position in the patient.

pydicom reads the header, which is checked first; SimpleITK reads the pixels, decoded and rescaled.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mass_nnunet.data.volume import read_image
from mass_nnunet.errors import UserError

# Tags of a slice's position, with their numbers of values; SimpleITK uses defaults for absent ones.
_GEOMETRY = {
    "position": ("ImagePositionPatient", 3),
    "orientation": ("ImageOrientationPatient", 6),
    "pixel spacing": ("PixelSpacing", 2),
}
_SIZE = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames")
_TAGS = [*_SIZE, *(keyword for keyword, _ in _GEOMETRY.values()), "EchoTime", "PixelData"]
_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
_LONGEST_VALUE = 1024  # bytes: longer values, which are pixels, are not read


@dataclass(frozen=True)
class DicomSlice:
    """One DICOM slice; positions in LPS mm."""

    path: Path
    image: sitk.Image

    @property
    def pixels(self) -> np.ndarray:
        """Intensities (Y, X): a view, valid as long as the slice exists."""
        return sitk.GetArrayViewFromImage(self.image)[0]

    @property
    def origin(self) -> np.ndarray:
        return np.array(self.image.GetOrigin())

    @property
    def axes(self) -> np.ndarray:
        """Columns: unit vectors along a row, along a column, and the slice normal, right-handed."""
        direction = np.array(self.image.GetDirection()).reshape(3, 3)
        direction[:, 2] = np.cross(direction[:, 0], direction[:, 1])
        return direction


def read_slice(path: Path) -> DicomSlice:
    """Read one slice with its position, and apply the rescale slope and intercept.

    Raises:
        UserError: the file is unreadable or truncated, has several slices or channels, or no position in space.
    """
    header = read_header(path)
    if header is not None:
        # Before the pixels are read, because ITK prints many lines about an impossible geometry.
        _check_one_slice(path, header)
        _check_geometry(path, header)
        _check_pixels(path, header)
    image = read_image(path)
    if image.GetDimension() != 3 or image.GetSize()[2] != 1 or image.GetNumberOfComponentsPerPixel() != 1:
        raise UserError(f"{path} is not one gray-value slice (size {image.GetSize()}): give one file per slice")
    if header is None:  # an image of another format
        raise _no_place(path, "position")
    return DicomSlice(path, image)


def read_header(path: Path) -> Dataset | None:
    """The header of a DICOM file, only the tags used here and without pixels; None if it cannot be read."""
    if not path.is_file():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong is said in one line, by the checks or by SimpleITK
            header = dcmread(path, force=True, specific_tags=_TAGS, defer_size=_LONGEST_VALUE)
    except Exception:  # pydicom raises many kinds for a file that is no DICOM; read_image then says what is wrong
        return None
    return header if "Rows" in header else None


def _check_one_slice(path: Path, header: Dataset) -> None:
    # Where the header has no such number, SimpleITK decides.
    counts = [_numbers(header, keyword) for keyword in ("NumberOfFrames", "SamplesPerPixel")]
    frames, samples = (int(found[0]) if len(found) == 1 and np.isfinite(found[0]) else 1 for found in counts)
    if frames != 1 or samples != 1:
        size = (*(_whole_number(path, header, keyword) for keyword in ("Columns", "Rows")), frames)
        raise UserError(f"{path} is not one gray-value slice (size {size}): give one file per slice")


def _check_geometry(path: Path, header: Dataset) -> None:
    """Check that the header has a valid position, orientation and pixel spacing.

    Raises:
        UserError: one of them is absent or invalid.
    """
    geometry = {}
    for what, (keyword, count) in _GEOMETRY.items():
        geometry[what] = _numbers(header, keyword)
        if len(geometry[what]) != count or not np.isfinite(geometry[what]).all():
            raise _no_place(path, what)
    if geometry["pixel spacing"].min() <= 0:
        raise UserError(f"{path} has the pixel spacing {_text(header.PixelSpacing)} mm: export it again")
    row, column = geometry["orientation"].reshape(2, 3)
    if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-2):
        text = _text(header.ImageOrientationPatient)
        raise UserError(f"{path} has an invalid orientation, {text}: export it again")


def _no_place(path: Path, what: str) -> UserError:
    return UserError(f"{path} has no {what} in its DICOM header: export it again")


def _numbers(header: Dataset, keyword: str) -> np.ndarray:
    """The numbers of an element, (N,); empty if the element is absent or not numeric."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.atleast_1d(np.array(header.get(keyword, []), float))
    except (TypeError, ValueError, BytesLengthException, NotImplementedError):  # the last for an unknown VR
        return np.array([])


def _whole_number(path: Path, header: Dataset, keyword: str) -> int:
    """A number of pixels or bits.

    Raises:
        UserError: the element is absent, or is not one whole number.
    """
    found = _numbers(header, keyword)
    if len(found) != 1 or not found[0].is_integer():
        raise UserError(f"{path} cannot be read (its DICOM header has no {keyword}): copy or download it again")
    return int(found[0])


def _text(values: object) -> str:
    """An element of several numbers, as it is written in the file."""
    return "\\".join(map(str, values)) if isinstance(values, Iterable) else str(values)


def _check_pixels(path: Path, header: Dataset) -> None:
    """Check that the file has all pixels, because SimpleITK reads a short file without an error.

    Raises:
        UserError: the file has fewer pixels than its header says.
    """
    rows, columns, bits = (_whole_number(path, header, keyword) for keyword in ("Rows", "Columns", "BitsAllocated"))
    if pixel_bytes(path, header) < rows * columns * bits // 8:
        raise UserError(f"{path} cannot be read (it ends too early): copy or download it again")


def pixel_bytes(path: Path, header: Dataset) -> float:
    """Number of bytes of pixels in a file of one slice; inf for compressed pixels, which the decoder checks."""
    if header.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian) not in _UNCOMPRESSED:
        return np.inf
    if "PixelData" not in header:
        return 0
    pixels = header.get_item("PixelData", keep_deferred=True)
    if isinstance(pixels, RawDataElement) and pixels.value is None:  # not read, as it is long
        return min(pixels.length, path.stat().st_size - pixels.value_tell)
    return len(pixels.value)


def echo_time(path: Path) -> float:
    """The echo time of a DICOM slice in ms, from its header alone.

    Raises:
        UserError: the file is unreadable, or its header has no echo time.
    """
    header = read_header(path)
    found = np.array([]) if header is None else _numbers(header, "EchoTime")
    if len(found) != 1 or not np.isfinite(found[0]):
        raise UserError(
            f"{path} has no echo time in its DICOM header, which tells the phases apart: "
            "sort the folder into InPhase and OutPhase"
        )
    return float(found[0])
