"""DICOM files as an archive exports them, written with pydicom: single slices, enhanced files, structure sets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, FileDataset, FileMetaDataset, dcmread
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    RTStructureSetStorage,
)

from mass_nnunet.phantom.dicom import make_uid

PATIENT = {"PatientID": "MRN4711", "PatientName": "Mustermann^Erika", "PatientBirthDate": "19640812"}
"""What must be in no file, message and page."""
SECRETS = ("MRN4711", "Mustermann", "MUSTERMANN", "Erika", "19640812", "12.08.1964")
_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}
_ENHANCED = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage}
ROI = Mapping[str, Sequence[np.ndarray]]


def new_file(sop_class: UID, *uid: object, **elements: Any) -> FileDataset:
    """A DICOM file in memory with the elements that every file has."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = UID(make_uid(*uid))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    standard = {"StudyDate": "20200103", "StudyTime": "101500", "AccessionNumber": "A1", "StudyID": "1"}
    fill(dataset, PATIENT | {"PatientSex": "F"} | standard | elements)
    return dataset


def fill(dataset: Dataset, elements: Mapping[str, Any]) -> None:
    """Set elements; None removes one."""
    for keyword, value in elements.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)


def save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def axes(image: sitk.Image) -> np.ndarray:
    """Columns: directions of x, y, z."""
    return np.array(image.GetDirection()).reshape(3, 3)


def place(image: sitk.Image, index: int, tilt: float = 0.0) -> np.ndarray:
    """Position of the first voxel of a slice, shifted along the columns by ``tilt`` mm per mm."""
    origin = np.array(image.TransformIndexToPhysicalPoint((0, 0, index)))
    return origin + axes(image)[:, 1] * tilt * index * image.GetSpacing()[2]


def pixels_of(dataset: Dataset, voxels: np.ndarray) -> None:
    """Intensities in Hounsfield units as stored pixels."""
    dataset.Rows, dataset.Columns = voxels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = (voxels.astype(int) + 1024).astype("<u2").tobytes()


def write_series(
    image: sitk.Image,
    folder: Path,
    series: str = "a",
    *,
    study: str = "1",
    modality: str = "CT",
    tilt: float = 0.0,
    name: str = "IM{:04d}",
    change: Callable[[Dataset, int], object] = lambda dataset, index: None,
    **elements: Any,
) -> list[Path]:
    """One file a slice, numbered against the position; ``change`` edits each dataset before it is written."""
    result = []
    count = image.GetSize()[2]
    voxels, directions = sitk.GetArrayFromImage(image), axes(image)
    for index in range(count):
        dataset = new_file(_CLASSES[modality], study, series, index, Modality=modality)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = make_uid(study), make_uid(study, series)
        dataset.FrameOfReferenceUID = make_uid(study, "frame")
        dataset.SeriesNumber, dataset.InstanceNumber = 2, count - index
        dataset.SeriesDescription = "Abdomen portal venous"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImagePositionPatient = [round(float(x), 6) for x in place(image, index, tilt)]
        dataset.ImageOrientationPatient = [round(float(x), 6) for x in (*directions[:, 0], *directions[:, 1])]
        dataset.PixelSpacing = [image.GetSpacing()[1], image.GetSpacing()[0]]
        dataset.SliceThickness = 1
        dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
        pixels_of(dataset, voxels[index])
        fill(dataset, elements)
        change(dataset, index)
        result.append(save(dataset, folder / name.format(index)))
    return result


def write_enhanced(
    image: sitk.Image,
    path: Path,
    series: str = "e",
    *,
    study: str = "1",
    modality: str = "CT",
    echoes: Sequence[float] = (),
    slopes: Sequence[float] = (1.0,),
    change: Callable[[Dataset], object] = lambda dataset: None,
) -> Path:
    """One file with all slices, from the highest to the lowest; for each echo, if there are some, once more."""
    voxels, directions = sitk.GetArrayFromImage(image), axes(image)
    dataset = new_file(_ENHANCED[modality], study, series, Modality=modality)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = make_uid(study), make_uid(study, series)
    dataset.FrameOfReferenceUID = make_uid(study, "frame")
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.SeriesDescription = 3, 1, "Enhanced"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    order = list(reversed(range(image.GetSize()[2])))
    frames, stored = [], []
    for number, echo in enumerate(echoes or (None,)):
        for index in order:
            frame = Dataset()
            frame.PlanePositionSequence = items(ImagePositionPatient=[round(float(x), 6) for x in place(image, index)])
            slope = slopes[index % len(slopes)]
            frame.PixelValueTransformationSequence = items(RescaleSlope=slope, RescaleIntercept=-1024, RescaleType="US")
            if echo is not None:
                frame.MREchoSequence = items(EffectiveEchoTime=echo)
            frames.append(frame)
            stored.append((voxels[index] + 1024 + 7 * number) / slope - 1024)
    shared = Dataset()
    orientation = [round(float(x), 6) for x in (*directions[:, 0], *directions[:, 1])]
    shared.PlaneOrientationSequence = items(ImageOrientationPatient=orientation)
    shared.PixelMeasuresSequence = items(PixelSpacing=[image.GetSpacing()[1], image.GetSpacing()[0]], SliceThickness=1)
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = Items([shared]), Items(frames)
    dataset.NumberOfFrames = len(frames)
    pixels_of(dataset, np.stack(stored))
    change(dataset)
    return save(dataset, path)


def items(**elements: Any) -> Items:
    """A sequence of one item."""
    item = Dataset()
    fill(item, elements)
    return Items([item])


def outlines(label: sitk.Image, value: int) -> list[np.ndarray]:
    """A closed contour (N, 3), LPS mm, around the rectangle of a label in each slice, through the voxels' edges."""
    found = []
    for index, plane in enumerate(sitk.GetArrayFromImage(label)):
        rows, columns = np.nonzero(plane == value)
        if len(rows):
            top, bottom, left, right = rows.min() - 0.4, rows.max() + 0.4, columns.min() - 0.4, columns.max() + 0.4
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            points = [label.TransformContinuousIndexToPhysicalPoint((x, y, float(index))) for x, y in corners]
            found.append(np.array(points))
    return found


def write_structures(
    path: Path, structures: ROI, slices: Iterable[Path], change: Callable[[Dataset], object] = lambda dataset: None
) -> Path:
    """A structure set on the slices of a series."""
    first, *rest = [dcmread(path, stop_before_pixels=True) for path in slices]
    dataset = new_file(RTStructureSetStorage, first.StudyInstanceUID, "rt", *structures, Modality="RTSTRUCT")
    fill(dataset, {keyword: first.get(keyword) for keyword in PATIENT})
    dataset.StudyInstanceUID = first.StudyInstanceUID
    dataset.SeriesInstanceUID = make_uid(first.StudyInstanceUID, "rt", *structures)
    dataset.SeriesNumber, dataset.SeriesDescription = 9, "Contours"
    images = [items(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID)[0]
              for one in (first, *rest)]  # fmt: skip
    series = items(SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=Items(images))
    study = items(RTReferencedSeriesSequence=series)
    dataset.ReferencedFrameOfReferenceSequence = items(
        FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=study
    )
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Items(), Items()
    for number, (name, contours) in enumerate(structures.items(), 1):
        dataset.StructureSetROISequence.append(items(ROINumber=number, ROIName=name)[0])
        drawn = [
            items(
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[round(float(value), 4) for value in points.ravel()],
            )[0]
            for points in contours
        ]
        dataset.ROIContourSequence.append(items(ReferencedROINumber=number, ContourSequence=Items(drawn))[0])
    change(dataset)
    return save(dataset, path)
