"""DICOM series of single slices, written by SimpleITK.

SimpleITK sets image size, position, orientation and file header from the image; with pydicom this code would have to.
"""

import hashlib
import uuid
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SOP_CLASS, SOP_INSTANCE, MODALITY = "0008|0016", "0008|0018", "0008|0060"
STUDY_DATE, STUDY_TIME = "0008|0020", "0008|0030"
PATIENT_NAME, PATIENT_ID = "0010|0010", "0010|0020"
SLICE_THICKNESS, REPETITION_TIME, ECHO_TIME, ECHO_NUMBER = "0018|0050", "0018|0080", "0018|0081", "0018|0086"
SPACING_BETWEEN_SLICES, PROTOCOL, PATIENT_POSITION = "0018|0088", "0018|1030", "0018|5100"
STUDY_UID, SERIES_UID, SERIES_NUMBER, INSTANCE_NUMBER = "0020|000d", "0020|000e", "0020|0011", "0020|0013"
FRAME_OF_REFERENCE_UID = "0020|0052"
RESCALE_INTERCEPT, RESCALE_SLOPE, RESCALE_TYPE = "0028|1052", "0028|1053", "0028|1054"
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


def make_uid(*parts: object) -> str:
    """A DICOM UID under the root for UUIDs (2.25); the same parts give the same UID."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def write_slice(
    path: Path,
    pixels: np.ndarray,
    spacing: tuple[float, float, float],
    position: tuple[float, float, float],
    tags: dict[str, str],
) -> None:
    """Write one axial slice.

    Args:
        path: path of the file.
        pixels: (Y, X).
        spacing: mm (x, y, z).
        position: of the first voxel, LPS, mm.
        tags: value by tag, ``"gggg|eeee"``.
    """
    image = sitk.GetImageFromArray(pixels[None])
    image.SetSpacing(spacing)
    image.SetOrigin(position)
    # Without it, SimpleITK writes the rescaling only in a process that has read DICOM before.
    rescaling = {RESCALE_INTERCEPT: "0", RESCALE_SLOPE: "1", RESCALE_TYPE: "US"}
    for tag, value in (rescaling | tags).items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)
