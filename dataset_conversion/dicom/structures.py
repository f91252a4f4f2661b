"""Label objects of an export: DICOM segmentations (SEG) and structure sets (RTSTRUCT), and what they belong to.

pydicom reads both. rt-utils, the usual library for structure sets, needs OpenCV, takes the scan's files from one folder
and passes over contours of another frame of reference; highdicom is needed for writing only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from mass_nnunet.errors import UserError

from .contours import check_gaps, contour_mask
from .identity import masked
from .instance import Plane, read_instance
from .stacks import Stack
from .voxels import quietly

KINDS = {SegmentationStorage: "SEG", RTStructureSetStorage: "RTSTRUCT", "1.2.840.10008.5.1.4.1.1.66.7": "SEG"}
"""Type of label objects, by SOP class; the last is a label map segmentation."""
_UNDEFINED = 0xFFFFFFFF
_OFF_GRID = 0.25
"""Largest distance of a segmentation's voxel from one of the scan, in voxels."""


@dataclass(frozen=True)
class LabelObject:
    """A DICOM-SEG or RTSTRUCT file.

    Attributes:
        path: the file.
        kind: ``SEG`` or ``RTSTRUCT``.
        name: its name in messages, such as ``series 4``.
        structures: number and name of each structure; names are without the patient's.
        series: UIDs of the series that it refers to.
        instances: UIDs of the images that it refers to.
        frame_of_reference: UID of its frame of reference.
    """

    path: Path
    kind: str
    name: str
    structures: tuple[tuple[int, str], ...]
    series: frozenset[str]
    instances: frozenset[str]
    frame_of_reference: str

    def belongs(self, series: str, frame_of_reference: str, stack: Stack) -> int:
        """How well the object belongs to a scan: the number of shared images; 1 if only a larger UID is shared."""
        if self.instances:
            return len(self.instances & {plane.uid for plane in stack.planes})
        if self.series:
            return int(series in self.series)
        return int(frame_of_reference == self.frame_of_reference != "")

    def mask(self, numbers: Sequence[int], stack: Stack) -> np.ndarray:
        """Voxels (Z, Y, X) on the slices of a stack that are in one of the structures.

        Raises:
            UserError: the file cannot be read, or is not on the grid of the scan, or leaves out too many of its slices.
        """
        with quietly(self.name):
            dataset = dcmread(self.path, force=True)
            if self.kind == "RTSTRUCT":
                return contour_mask(dataset, numbers, stack, self.name)
            masks = _segment_masks(dataset, self.path, numbers, stack, self.name)
        for mask in masks:
            check_gaps(np.flatnonzero(mask.any((1, 2))).tolist(), self.name)
        return np.logical_or.reduce(masks)


def read_label_object(path: Path, kind: str, name: str, tokens: Sequence[str]) -> LabelObject:
    """The header of a label object.

    Args:
        path: the file.
        kind: ``SEG`` or ``RTSTRUCT``.
        name: its name in messages.
        tokens: what must not be shown of a structure's name.

    Raises:
        UserError: the file cannot be read.
    """
    with quietly(name):
        dataset = dcmread(path, force=True, stop_before_pixels=True)
        _check_whole(dataset, name)
        if kind == "SEG":
            found = [(int(item.SegmentNumber), str(item.SegmentLabel)) for item in dataset.SegmentSequence]
        else:
            found = [(int(item.ROINumber), str(item.get("ROIName", ""))) for item in dataset.StructureSetROISequence]
        series, instances = _references(dataset)
        frames = [dataset, *(dataset.get("ReferencedFrameOfReferenceSequence") or ())]
        return LabelObject(
            path=path,
            kind=kind,
            name=name,
            structures=tuple((number, masked(text, tokens)) for number, text in found),
            series=frozenset(series),
            instances=frozenset(instances),
            frame_of_reference=next((str(uid) for item in frames if (uid := item.get("FrameOfReferenceUID"))), ""),
        )


def _check_whole(dataset: Dataset, name: str) -> None:
    """Refuse a file whose last element is shorter than it says; pydicom reads what is left of its contours."""
    for tag in dataset.keys():  # noqa: SIM118 -- the items themselves are parsed when they are read
        element = dataset.get_item(tag)
        if not isinstance(element, RawDataElement) or element.value is None or element.length == _UNDEFINED:
            continue
        if len(element.value) < element.length:
            raise UserError(f"{name} cannot be read (it ends too early): copy or export it again")


def _references(dataset: Dataset) -> tuple[set[str], set[str]]:
    """UIDs of the series and of the images that an object refers to, wherever it does."""
    series = {
        str(item.SeriesInstanceUID)
        for sequence in ("ReferencedSeriesSequence", "RTReferencedSeriesSequence")
        for item in _items(dataset, sequence)
        if "SeriesInstanceUID" in item
    }
    instances = {
        str(item.ReferencedSOPInstanceUID)
        for sequence in ("ReferencedInstanceSequence", "ContourImageSequence", "SourceImageSequence")
        for item in _items(dataset, sequence)
        if "ReferencedSOPInstanceUID" in item
    }
    return series, instances


def _items(dataset: Dataset, keyword: str) -> Iterable[Dataset]:
    """Items of a sequence at any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                if element.keyword == keyword:
                    yield item
                yield from _items(item, keyword)


def _segment_masks(dataset: Dataset, path: Path, numbers: Sequence[int], stack: Stack, name: str) -> list[np.ndarray]:
    instance = read_instance(path)
    if instance is None or not instance.planes:
        raise UserError(f"{name} has no position of its frames: export it again")
    pixels = dataset.pixel_array
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    kind = str(dataset.get("SegmentationType", "BINARY"))
    threshold = int(dataset.get("MaximumFractionalValue", 1)) / 2 if kind == "FRACTIONAL" else 0
    _check_step(dataset, stack, name)
    masks = {number: np.zeros((len(stack.planes), *stack.planes[0].size), bool) for number in numbers}
    to_index = np.linalg.inv(stack.affine())
    for index, (plane, values) in enumerate(zip(instance.planes, pixels, strict=True)):
        if kind == "LABELMAP":
            shown = {number: values == number for number in numbers}
        else:
            shown = {_segment_of(dataset, index): values > threshold}
        for number in masks.keys() & shown.keys():
            if shown[number].any():
                _add(masks[number], shown[number], plane, to_index, name)
    return list(masks.values())


def _check_step(dataset: Dataset, stack: Stack, name: str) -> None:
    """Refuse a segmentation with other distances of its slices, which would leave slices of the scan without labels."""
    for item in _items(dataset, "PixelMeasuresSequence"):
        step = float(item.get("SpacingBetweenSlices") or stack.step)
        sizes = [*stack.planes[0].spacing, stack.step]
        if min(abs(step - size) / size for size in sizes) > 0.01:
            raise _off_grid(name)


def _segment_of(dataset: Dataset, index: int) -> int:
    groups = (dataset.PerFrameFunctionalGroupsSequence[index], *dataset.SharedFunctionalGroupsSequence)
    return next(
        int(item.ReferencedSegmentNumber) for group in groups for item in group.get("SegmentIdentificationSequence", ())
    )


def _add(result: np.ndarray, inside: np.ndarray, plane: Plane, to_index: np.ndarray, name: str) -> None:
    """Add the pixels (Y, X) of a frame to the voxels (Z, Y, X) at the same places.

    Raises:
        UserError: the frame's pixels are not the scan's voxels, or lie outside the scan.
    """
    row, column = np.reshape(plane.orientation, (2, 3))
    across, down = to_index[:3, :3] @ row * plane.spacing[1], to_index[:3, :3] @ column * plane.spacing[0]
    for step in (across, down):
        if not np.allclose(np.sort(np.abs(step)), [0, 0, 1], atol=0.01):
            raise _off_grid(name)
    start = to_index[:3, :3] @ plane.position + to_index[:3, 3]
    rows, columns = np.nonzero(inside)
    places = start + np.outer(columns, across) + np.outer(rows, down)  # (N, 3): column, row, slice
    voxels = np.rint(places).astype(int)
    if np.abs(places - voxels).max() > _OFF_GRID:
        raise _off_grid(name)
    z, y, x = voxels.T[::-1]
    limits = np.array(result.shape)[:, None]
    if (np.stack([z, y, x]) < 0).any() or (np.stack([z, y, x]) >= limits).any():
        raise UserError(f"{name} has labels outside its scan: export both again, from one study")
    result[z, y, x] = True


def _off_grid(name: str) -> UserError:
    return UserError(f"{name} is not on the grid of its scan: export the segmentation in the geometry of the scan")
