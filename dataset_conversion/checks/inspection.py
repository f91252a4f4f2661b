"""Measures of one case: its grid, its intensities, its organs, and a small picture."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.pose import directions_of
from mass_nnunet.data.volume import ORIENTATION
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE
from mass_nnunet.reporting.drawing import grey_window, typical_slice

from .ends import blunt_ends, left_out, unannotated_ends

_SAMPLES = 1_000_000  # voxels that percentiles are taken of
_PREVIEW = 192  # longest edge of the picture, pixels


@dataclass(frozen=True, kw_only=True)
class Organ:
    """Measures of one labelled organ.

    Attributes:
        volume_ml: volume in ml.
        centre_mm: centroid in mm, LPS: towards the patient's left, back and head.
        mean: mean intensity inside.
        sd: standard deviation of the intensities inside.
        cut_off: whether it ends bluntly inside the scan, as if it were annotated in only some of its slices.
        left_out: slices between its ends that do not show it, if it seems to be annotated in every n-th slice; else 0.
    """

    volume_ml: float
    centre_mm: tuple[float, float, float]
    mean: float
    sd: float
    cut_off: bool
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Measures of one scan, and of its label map if it has one.

    Attributes:
        size: voxels (Z, Y, X), in RAS orientation, or as stored where nnU-Net's reader turns nothing.
        spacing: mm (Z, Y, X).
        origin: position of the first voxel, LPS, mm.
        intensity: ``min``, ``low``, ``median``, ``high``, ``max``; low and high are percentiles 0.5 and 99.5.
        content: hash of the voxels in RAS orientation, without the header.
        organs: organs in the label map, by name; None for a scan without labels.
        axes: directions of Z, Y, X as unit vectors in LPS; None for a scan that nnU-Net's reader turns to RAS.
        unannotated: slices at the first and the last end that nobody annotated; None if there are none.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    intensity: Mapping[str, float]
    content: str
    organs: Mapping[str, Organ] | None
    axes: tuple[tuple[float, float, float], ...] | None = None
    unannotated: tuple[int, int] | None = None


class Preview(NamedTuple):
    """One slice in radiological convention; an axial one, unless nnU-Net's reader turns nothing.

    Attributes:
        image: intensities scaled to 0 to 255, uint8 (Y, X).
        label: label values, uint8 (Y, X); zeros for a scan without labels.
        aspect: height of a pixel over its width.
    """

    image: np.ndarray
    label: np.ndarray
    aspect: float


def measure(
    image: sitk.Image,
    label: sitk.Image | None,
    labels: Mapping[str, int],
    channel: str,
    source: object,
    *,
    stored: bool = False,
) -> tuple[Measures, Preview]:
    """Measure a scan in the axes in which nnU-Net sees it.

    Args:
        image: the scan, in RAS orientation unless ``stored``.
        label: its label map on the same grid, or None.
        labels: name to value, with background, and with ``ignore`` if the dataset has it.
        channel: ``CT`` or another modality; it decides the intensity window of the picture.
        source: file or folder of the scan, for the message.
        stored: whether nnU-Net sees the scan in its stored axes.

    Raises:
        UserError: all intensities are the same, or one overflows.
    """
    voxels = sitk.GetArrayViewFromImage(image)  # (Z, Y, X)
    low, high = float(voxels.min()), float(voxels.max())
    if not np.isfinite([low, high]).all():
        raise UserError(f"{source} holds intensities that are too large for its format: correct its scale factor")
    if low == high:
        raise UserError(f"{source} is empty, all its intensities are {low:g}: copy or download it again")
    sample = voxels.ravel()[:: max(1, voxels.size // _SAMPLES)]
    quantiles = np.percentile(sample, (0.5, 50, 99.5))
    names = ("min", "low", "median", "high", "max")
    measures = Measures(
        size=voxels.shape,
        spacing=_three(reversed(image.GetSpacing())),
        origin=_three(image.GetOrigin()),
        intensity=dict(zip(names, (low, *map(float, quantiles), high), strict=True)),
        content=_fingerprint(sitk.DICOMOrient(image, ORIENTATION) if stored else image),
        organs=None if label is None else _organs(voxels, label, labels),
        axes=tuple(map(_three, directions_of(image))) if stored else None,
        unannotated=None if label is None else _unannotated(label, labels),
    )
    return measures, _preview(image, label, channel, labels.get(IGNORE))


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def _fingerprint(image: sitk.Image) -> str:
    """Digest of the voxels and their order."""
    voxels = sitk.GetArrayViewFromImage(image)
    digest = hashlib.sha256(repr((voxels.shape, voxels.dtype.str)).encode())
    digest.update(np.ascontiguousarray(voxels).data)
    return digest.hexdigest()


def _organs(voxels: np.ndarray, label: sitk.Image, labels: Mapping[str, int]) -> dict[str, Organ]:
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputePerimeterOff()
    shapes.Execute(label)
    values = sitk.GetArrayViewFromImage(label)
    is_annotated = (values != labels.get(IGNORE, -1)).all((1, 2))  # (Z,)
    organs = {}
    for name, value in labels.items():
        if name in (BACKGROUND, IGNORE) or not shapes.HasLabel(value):
            continue
        first, size = np.array(shapes.GetBoundingBox(value)).reshape(2, 3)[:, ::-1]  # z, y, x
        box = tuple(slice(start, start + length) for start, length in zip(first, size, strict=True))
        inside = values[box] == value
        intensities = voxels[box][inside].astype(np.float64)
        areas = inside.sum((1, 2))
        organs[name] = Organ(
            volume_ml=shapes.GetPhysicalSize(value) / 1000,
            centre_mm=_three(shapes.GetCentroid(value)),
            mean=float(intensities.mean()),
            sd=float(intensities.std()),
            cut_off=_is_cut_off(areas, first[0], is_annotated),
            left_out=left_out((areas == 0) & is_annotated[box[0]]),
        )
    return organs


def _is_cut_off(areas: np.ndarray, first: int, is_annotated: np.ndarray) -> bool:
    """Whether an organ ends bluntly at a slice beyond which the scan goes on, and is annotated.

    Args:
        areas: area of the organ in each of its slices.
        first: number of its first slice.
        is_annotated: (Z,), boolean: the slices of the scan without a voxel that is ignored.
    """
    beyond = np.pad(is_annotated, 1)[[first, first + len(areas) + 1]]
    return bool((blunt_ends(areas) & beyond).any())


def _unannotated(label: sitk.Image, labels: Mapping[str, int]) -> tuple[int, int] | None:
    values = sitk.GetArrayViewFromImage(label)
    if (values == labels.get(IGNORE, -1)).any():
        return None  # whoever set the label has looked
    ends = unannotated_ends(values)
    return ends if any(ends) else None


def _organ_values(label: sitk.Image, ignore: int | None) -> np.ndarray:
    """The values of a label map (Z, Y, X), with background where a voxel is ignored."""
    values = sitk.GetArrayViewFromImage(label)
    return values if ignore is None else np.where(values == ignore, 0, values)


def _preview(image: sitk.Image, label: sitk.Image | None, channel: str, ignore: int | None) -> Preview:
    voxels = sitk.GetArrayViewFromImage(image)
    z = len(voxels) // 2 if label is None else typical_slice(_organ_values(label, ignore))
    step = -(-max(voxels.shape[1:]) // _PREVIEW)
    # The axes of the picture run to the patient's left, back and feet: others are turned.
    across, down, _ = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    cut = (z, *(slice(None, None, -step if code in "RAS" else step) for code in (down, across)))
    low, high = grey_window(voxels[cut], channel)
    gray = np.clip((voxels[cut].astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    values = np.zeros(gray.shape, np.uint8) if label is None else sitk.GetArrayViewFromImage(label)[cut].copy()
    return Preview(np.rint(255 * gray).astype(np.uint8), values, image.GetSpacing()[1] / image.GetSpacing()[0])
