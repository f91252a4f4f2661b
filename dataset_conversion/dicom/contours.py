"""Contours of a structure set (RTSTRUCT) as voxels of its scan.

A voxel is inside if its centre is. Contours of one structure in one slice are combined by exclusive or, which makes a
contour within another one a hole. A contour that is there twice counts once.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from pydicom import Dataset
from skimage.measure import grid_points_in_poly

from mass_nnunet.dataset_conversion.checks.ends import MOST_GAPS
from mass_nnunet.errors import UserError

from .stacks import Stack

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OFF_SLICE = 0.3
"""Largest distance of a contour from a slice, as a share of the distance of the slices."""


def contour_mask(dataset: Dataset, numbers: Sequence[int], stack: Stack, name: str) -> np.ndarray:
    """Voxels (Z, Y, X) on the slices of a stack that are in one of the structures.

    Args:
        dataset: the structure set.
        numbers: numbers of the structures.
        stack: the scan.
        name: name of the structure set in messages.

    Raises:
        UserError: contours are not in the scan's slices, or leave out too many of them.
    """
    result = np.zeros((len(stack.planes), *stack.planes[0].size), bool)
    for number in numbers:
        slices: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(result.shape[1:], bool))
        contours = {np.unique(points, axis=0).tobytes(): points for points in _contours(dataset, number, name)}
        for points in contours.values():
            index, polygon = _in_slice(points, stack, name)
            slices[index] ^= grid_points_in_poly(result.shape[1:], polygon)
        check_gaps(sorted(slices), name)
        for index, inside in slices.items():
            result[index] |= inside
    return result


def check_gaps(drawn: Sequence[int], name: str) -> None:
    """Make sure that a structure was not drawn in every second slice only: those between would become background.

    Args:
        drawn: sorted numbers of the slices that show it.
        name: name of its label object in messages.

    Raises:
        UserError: more than :data:`MOST_GAPS` of the slices between its ends do not show it.
    """
    if drawn and (between := drawn[-1] - drawn[0] + 1) - len(drawn) > MOST_GAPS * between:
        raise UserError(
            f"{name} has a structure in {len(drawn)} of {between} slices: interpolate the others, and export it again"
        )


def _contours(dataset: Dataset, number: int, name: str) -> Iterator[np.ndarray]:
    """Points (N, 3) of the closed contours of a structure, LPS mm."""
    for item in dataset.get("ROIContourSequence") or ():
        if int(item.ReferencedROINumber) != number:
            continue
        for contour in item.get("ContourSequence") or ():
            values = np.array(contour.get("ContourData") or (), float)
            if str(contour.get("ContourGeometricType", _CLOSED[0])) not in _CLOSED or len(values) < 9:
                continue  # a point, a line, or a contour without area
            if len(values) % 3 or not np.isfinite(values).all():
                raise UserError(f"{name} has a contour that is no list of points: export it again")
            yield values.reshape(-1, 3)


def _in_slice(points: np.ndarray, stack: Stack, name: str) -> tuple[int, np.ndarray]:
    """Number of the slice of a contour, and its points (N, 2) as row and column.

    Raises:
        UserError: the contour crosses slices, lies between two, or outside the scan.
    """
    to_index = np.linalg.inv(stack.affine())
    column, row, height = to_index[:3, :3] @ points.T + to_index[:3, 3:]
    index = int(np.rint(np.median(height)))
    if np.abs(height - index).max() > _OFF_SLICE:
        raise UserError(f"{name} has contours that are not in the slices of its scan: export those of this scan")
    if not 0 <= index < len(stack.planes):
        raise UserError(f"{name} has labels outside its scan: export both again, from one study")
    return index, np.stack([row, column], axis=1)
