"""One file of an export: what its header says, without its pixels.

pydicom reads it. A file with several frames (enhanced CT and MR) has a plane for each frame.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.uid import MediaStorageDirectoryStorage

from .identity import Identity

_IMAGE_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "BurnedInAnnotation", "SamplesPerPixel"),
    "PhotometricInterpretation",
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "SeriesDescription", "ProtocolName"),
    *("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "StudyDate", "StudyTime"),
    *("FrameOfReferenceUID", "NumberOfFrames", "Rows", "Columns"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("EchoTime", "DiffusionBValue", "TemporalPositionIdentifier", "TriggerTime"),
    *("AcquisitionNumber", "AcquisitionDate", "AcquisitionTime", "ContentTime"),
)
MARKS = {
    "echo": ("EchoTime", "MREchoSequence", "EffectiveEchoTime"),
    "b": ("DiffusionBValue", "MRDiffusionSequence", "DiffusionBValue"),
    "type": ("ImageType", "", "FrameType"),
    "time": ("TemporalPositionIdentifier", "FrameContentSequence", "TemporalPositionIndex"),
    "trigger": ("TriggerTime", "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    "acquisition": ("AcquisitionNumber", "FrameContentSequence", "FrameAcquisitionNumber"),
    "acquired": ("AcquisitionTime", "FrameContentSequence", "FrameAcquisitionDateTime"),
    "made": ("ContentTime", "", ""),
}
"""What can tell images at one place apart, most telling first: element of a file, sequence and element of a frame."""
_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence")
_PREFIX = 128


@dataclass(frozen=True)
class Plane:
    """One image plane of a file.

    Attributes:
        path: the file.
        frame: number of the frame in a file of several, from 0; None in a file of one image.
        number: number that names the plane in messages.
        uid: SOPInstanceUID of the file.
        size: rows and columns.
        spacing: mm between rows, and between columns.
        position: of the first pixel's centre, LPS mm.
        orientation: unit vectors along a row and along a column, LPS.
        marks: value of each of ``MARKS``; empty where the header has none.
    """

    path: Path
    frame: int | None
    number: int
    uid: str
    size: tuple[int, int]
    spacing: tuple[float, ...]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    marks: Mapping[str, str] = field(hash=False, compare=False, default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """What a file's header says.

    Attributes:
        path: the file.
        identity: its patient.
        text: value of an element as text, by keyword; empty where it is absent.
        image_type: values of ImageType, of the file and its first frame, upper case.
        planes: its planes; empty where the file is no image, or has no place in space.
        fault: what is wrong with its geometry; empty if nothing is.
    """

    path: Path
    identity: Identity
    text: Mapping[str, str]
    image_type: tuple[str, ...]
    planes: tuple[Plane, ...]
    fault: str = ""


def read_instance(path: Path) -> Instance | None:
    """The header of a file; None if it is no DICOM file that belongs to a series, such as a DICOMDIR or a viewer.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the header of a DICOM file is damaged.
    """
    if not _may_be_dicom(path):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values, which may be a name
            header = dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(_IMAGE_TAGS))
            if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
                return None
            if not _text(header, "SOPClassUID") or not _text(header, "SeriesInstanceUID"):
                raise ValueError  # it ends too early
            return _instance(path, header)
    except OSError:
        raise
    except Exception as error:  # pydicom raises many kinds for a damaged header, and their texts quote values
        raise ValueError(type(error).__name__) from None


def _may_be_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(_PREFIX + 4)
    # Without the preamble a file begins with an element of the groups 2 or 8.
    return start[_PREFIX:] == b"DICM" or start[:2] in (b"\x02\0", b"\x08\0")


def _instance(path: Path, header: Dataset) -> Instance:
    text = {keyword: _text(header, keyword) for keyword in _IMAGE_TAGS if not keyword.endswith("Sequence")}
    identity = Identity(
        id="|".join(filter(None, (text["PatientID"], text["IssuerOfPatientID"]))) if text["PatientID"] else "",
        name=text["PatientName"],
        birth_date=text["PatientBirthDate"],
        study=text["StudyInstanceUID"],
    )
    planes: tuple[Plane, ...] = ()
    fault = ""
    try:
        planes = _planes(path, header, text)
    except ValueError as error:
        fault = str(error)
    kinds = tuple(word for word in text["ImageType"].upper().split("\\") if word)
    if planes and planes[0].frame is not None:
        kinds += tuple(word for word in planes[0].marks["type"].upper().split("\\") if word)
    return Instance(path, identity, text, kinds, planes, fault)


def _planes(path: Path, header: Dataset, text: Mapping[str, str]) -> tuple[Plane, ...]:
    """The planes of an image.

    Raises:
        ValueError: an image has no valid place in space; its text says what is absent.
    """
    if "Rows" not in header:
        return ()
    size = (int(header.Rows), int(header.Columns))
    number = int(text["InstanceNumber"]) if text["InstanceNumber"].lstrip("+-").isdecimal() else 0
    shared, frames = _groups(header)
    if not frames and int(text["NumberOfFrames"] or 1) > 1:
        raise ValueError("several frames without a position of each")
    uid = text["SOPInstanceUID"]
    if not frames:
        marks = {name: _text(header, keyword) for name, (keyword, _, _) in MARKS.items()}
        return (Plane(path, None, number, uid, size, *_geometry((header,)), marks),)
    return tuple(
        Plane(path, index, index + 1, uid, size, *_geometry((frame, *shared)), _frame_marks(frame, *shared))
        for index, frame in enumerate(frames)
    )


def _groups(header: Dataset) -> tuple[Sequence[Dataset], Sequence[Dataset]]:
    """The functional groups of all frames, and of each frame; both empty in a file of one image."""
    return header.get("SharedFunctionalGroupsSequence") or (), header.get("PerFrameFunctionalGroupsSequence") or ()


def _geometry(places: Sequence[Dataset]) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Spacing, position and orientation of a plane, by the file itself or the functional groups of a frame.

    Raises:
        ValueError: one is absent or invalid.
    """
    position = _numbers(places, "PlanePositionSequence", "ImagePositionPatient", 3, "position")
    orientation = _numbers(places, "PlaneOrientationSequence", "ImageOrientationPatient", 6, "orientation")
    spacing = _numbers(places, "PixelMeasuresSequence", "PixelSpacing", 2, "pixel spacing")
    if min(spacing) <= 0:
        raise ValueError("a pixel spacing that is not above 0")
    row, column = np.reshape(orientation, (2, 3))
    if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-2):
        raise ValueError("an invalid orientation")
    return spacing, position, orientation


def _numbers(places: Sequence[Dataset], sequence: str, keyword: str, count: int, what: str) -> tuple[float, ...]:
    """The numbers of an element of the file itself, or of the first functional group that has it."""
    holders = (holder for place in places for holder in (place, *(place.get(sequence) or ())))
    value = next((value for holder in holders if (value := holder.get(keyword)) is not None), None)
    if value is None:
        raise ValueError(f"no {what}")
    try:
        numbers = tuple(map(float, np.atleast_1d(np.array(value, float))))
    except (TypeError, ValueError, BytesLengthException):
        raise ValueError(f"no {what}") from None
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"no {what}")
    return numbers


def _frame_marks(*groups: Dataset) -> dict[str, str]:
    """Marks of one frame: its own values come before those that all frames share."""
    marks = {}
    for name, (_, sequence, keyword) in MARKS.items():
        sequences = _FRAME_TYPES if name == "type" else (sequence,)
        items = [item for group in groups for word in sequences if word for item in group.get(word) or ()]
        marks[name] = next((found for item in items if (found := _text(item, keyword))), "")
    return marks


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    if value is None:
        return ""
    if isinstance(value, float):
        return str(round(float(value), 3))  # 2.3 and 2.30 are one echo time
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value).strip()
