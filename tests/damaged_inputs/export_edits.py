"""Edits that damage an export of an archive, or make it confusing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
)

from dicom_export import fill, items, new_file, outlines, save, write_series, write_structures
from file_edits import cut, on, remove
from mass_nnunet.phantom.dicom import make_uid
from native_trees import BTCV_VALUES, organs, scan
from sound_datasets import CONTOURS, CT, CT_SLICE


def tags(path: Path, change: Callable[[Dataset], object] = lambda dataset: None, **elements: Any) -> Path:
    """Change elements of a file; None removes one."""
    dataset = dcmread(path)
    fill(dataset, elements)
    change(dataset)
    return save(dataset, path)


def every(**elements: Any) -> Callable[[Path], object]:
    """Change elements of all slices."""
    return lambda src: [tags(path, **elements) for path in sorted((src / CT).iterdir())]


def one(**elements: Any) -> Callable[[Path], object]:
    """Change elements of one slice."""
    return on(CT_SLICE, tags, **elements)


def class_of(sop_class: str, **elements: Any) -> Callable[[Path], object]:
    return every(SOPClassUID=sop_class, **elements)


def moved(*heights: float) -> Callable[[Path], object]:
    """Other heights of the slices."""

    def change(src: Path) -> None:
        for path, height in zip(sorted((src / CT).iterdir()), heights, strict=True):
            tags(path, ImagePositionPatient=[-20, 7, height])

    return change


def another(pixels: int = 0, **elements: Any) -> Callable[[Path], object]:
    """A slice once more under another file name, with other pixels or elements."""

    def change(src: Path) -> None:
        dataset = dcmread(src / CT_SLICE)
        stored = np.frombuffer(dataset.PixelData, "<u2") + pixels
        dataset.PixelData = stored.astype("<u2").tobytes()
        fill(dataset, elements)
        save(dataset, src / CT / "copy")

    return change


def instead(sop_class: UID, modality: str, **elements: Any) -> Callable[[Path], object]:
    """Another object instead of the scan."""

    def change(src: Path) -> None:
        remove(src / CT)
        uids = {"StudyInstanceUID": make_uid("s"), "SeriesInstanceUID": make_uid("s", 1)}
        save(new_file(sop_class, "x", Modality=modality, **uids, **elements), src / "x.dcm")

    return change


def contours(change: Callable[[Dataset], object]) -> Callable[[Path], object]:
    return on(CONTOURS, tags, change)


def shifted(z: float) -> Callable[[Dataset], object]:
    """Contours moved along the patient."""

    def change(dataset: Dataset) -> None:
        for roi in dataset.ROIContourSequence:
            for contour in roi.ContourSequence:
                points = np.reshape(np.array(contour.ContourData, float), (-1, 3))
                points[:, 2] += z
                contour.ContourData = [round(float(value), 3) for value in points.ravel()]

    return change


def renamed(**names: str) -> Callable[[Dataset], object]:
    def change(dataset: Dataset) -> None:
        for roi in dataset.StructureSetROISequence:
            roi.ROIName = names.get(roi.ROIName, roi.ROIName)

    return change


def emptied(dataset: Dataset) -> None:
    for roi in dataset.ROIContourSequence:
        roi.ContourSequence = items(ContourGeometricType="POINT", ContourData=[1.0, 2.0, 3.0])


def second_contours(src: Path) -> None:
    structures = {"liver": outlines(organs(BTCV_VALUES), BTCV_VALUES["liver"])}
    write_structures(src / "RT2", structures, sorted((src / CT).iterdir()))


def magnetic(*descriptions: str) -> Callable[[Path], object]:
    """MR scans of one study instead of the CT."""

    def change(src: Path) -> None:
        remove(src / CT)
        for number, description in enumerate(descriptions, 1):
            folder = src / str(number)
            write_series(
                scan(number), folder, str(number), modality="MR", SeriesDescription=description, SeriesNumber=number
            )

    return change


def zipped_export(src: Path) -> Path:
    """``data.zip`` beside the export, with paths that name the patient."""
    import zipfile

    path = src.with_name("data.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(src.rglob("*")):
            archive.write(file, file.relative_to(src))
        archive.writestr("../Mustermann_Erika.dcm", "x")
    return path


def compressed(path: Path, *, drop: int) -> None:
    """A slice in JPEG 2000, cut short."""
    dataset = dcmread(path)
    whole = sitk.Cast(sitk.ReadImage(str(path)) + 1024, sitk.sitkUInt16)
    for key in whole.GetMetaDataKeys():
        whole.EraseMetaData(key)
    writer = sitk.ImageFileWriter()
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG2000")
    writer.SetFileName(str(path.with_name("tmp.dcm")))
    writer.Execute(whole)
    dataset.PixelData = dcmread(path.with_name("tmp.dcm")).PixelData
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    path.with_name("tmp.dcm").unlink()
    save(dataset, path)
    cut(path, drop)
