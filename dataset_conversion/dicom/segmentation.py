"""A label map as a DICOM segmentation (SEG) of a series, written by highdicom."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from mass_nnunet import __version__
from mass_nnunet.data.files import atomic_path
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND
from mass_nnunet.phantom.dicom import make_uid
from mass_nnunet.reporting.drawing import organ_colours

from .codes import anatomy_of
from .stacks import Stack
from .voxels import quietly

_SERIES_NUMBER = 1000
_MAKER = "mass-nnunet"


def write_segmentation(
    path: Path, label: np.ndarray, stack: Stack, labels: Mapping[str, int], model: str, name: str
) -> None:
    """Write a segmentation with a segment for each organ, completely or not at all.

    Patient and study are those of the series. Nothing else of it is copied: no private element, and no pixel.

    Args:
        path: file to write.
        label: (Z, Y, X) on the slices of the stack.
        stack: slices of the series.
        labels: name to value, with background.
        model: name of the algorithm.
        name: name of the series in messages.

    Raises:
        UserError: highdicom is not installed, or the series lacks what a segmentation must state.
    """
    try:
        from highdicom import seg
    except ImportError:
        raise UserError("to-dicom needs highdicom: pip install 'mass-nnunet[dicom]'") from None
    organs = sorted((value, organ) for organ, value in labels.items() if organ != BACKGROUND)
    numbers = np.zeros(max(value for value, _ in organs) + 1, np.uint8)
    for number, (value, _) in enumerate(organs, 1):
        numbers[value] = number
    with quietly(name):
        sources = [dcmread(file, stop_before_pixels=True) for file in dict.fromkeys(p.path for p in stack.planes)]
    first = sources[0]
    digest = (first.SOPInstanceUID, __version__, model, str(organs), label.tobytes())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values of the header
            segmentation = seg.Segmentation(
                source_images=[_complete(source) for source in sources],
                pixel_array=numbers[label],
                segmentation_type="BINARY",
                segment_descriptions=_descriptions([organ for _, organ in organs], labels, model),
                series_instance_uid=make_uid("series", *digest),
                series_number=_SERIES_NUMBER,
                sop_instance_uid=make_uid("instance", *digest),
                instance_number=1,
                manufacturer=_MAKER,
                manufacturer_model_name=model[:64],
                software_versions=__version__,
                device_serial_number=_MAKER,
                content_description="Automatic segmentation",
                content_label="SEGMENTATION",
                **_geometry(stack),
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{name} lacks what a segmentation must state ({type(error).__name__}): export it again"
        ) from None
    segmentation.SeriesDescription = f"{_MAKER} {model}"[:64]
    with atomic_path(path) as temporary:
        segmentation.save_as(temporary)


def _descriptions(organs: list[str], labels: Mapping[str, int], model: str) -> list:
    from highdicom.color import CIELabColor
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept

    algorithm = AlgorithmIdentificationSequence(
        name=model[:64], family=codes.cid7162.ArtificialIntelligence, version=__version__, source=_MAKER
    )
    colours = organ_colours(labels)
    result = []
    for number, organ in enumerate(organs, 1):
        anatomy = anatomy_of(organ)
        red, green, blue = (int(colours[organ].lstrip("#")[start : start + 2], 16) for start in (0, 2, 4))
        description = SegmentDescription(
            segment_number=number,
            segment_label=organ.replace("_", " ")[:64],
            segmented_property_category=anatomy.category,
            segmented_property_type=anatomy.type,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
            display_color=CIELabColor.from_rgb(red, green, blue),
        )
        if anatomy.side is not None:
            side = CodedConcept(anatomy.side.value, anatomy.side.scheme_designator, anatomy.side.meaning)
            description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [side]
        result.append(description)
    return result


def _complete(source: Dataset) -> Dataset:
    """The header of a source, with the empty elements that exports leave out and a segmentation copies."""
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        if keyword not in source:
            setattr(source, keyword, "")
    for keyword in ("StudyDate", "StudyTime", "ReferringPhysicianName"):
        if keyword not in source:
            setattr(source, keyword, None)
    return source


def _geometry(stack: Stack) -> dict[str, Any]:
    """Position of each frame, as the series states it."""
    from highdicom.content import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence

    first = stack.planes[0]
    return {
        "pixel_measures": PixelMeasuresSequence(first.spacing, stack.step, stack.step),
        "plane_orientation": PlaneOrientationSequence("PATIENT", first.orientation),
        "plane_positions": [PlanePositionSequence("PATIENT", plane.position) for plane in stack.planes],
    }
