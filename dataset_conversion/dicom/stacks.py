"""From the planes of a series to its stacks: sorted, evenly spaced slices of one scan each.

A series may hold several scans (echoes, b-values, phases, a localizer), and one slice twice.
"""

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom import dcmread

from mass_nnunet.dataset_conversion.readers.dicom_stack import order_positions
from mass_nnunet.errors import UserError

from .instance import MARKS, Plane

_FEWEST = 4
"""A stack of fewer slices is no scan, but a localizer or a single picture."""
_APART_MM = 1e-2
_UNITS = {"echo": " ms"}
_TIMES = ("acquired", "made")
"""Marks that are dates or times, which are not shown: their order is."""


@dataclass(frozen=True)
class Stack:
    """Slices of one scan.

    Attributes:
        planes: sorted along the normal, if nothing is wrong.
        mark: what tells the scan from the others of its series, such as ``echo 2.3 ms``; empty if it is the only one.
        shear: sideways shift of the slices in mm per mm along the normal, along rows and along columns; 0 without a
            tilted gantry.
        step: distance of the slices in mm along the normal.
        fault: why it is no evenly spaced scan; empty if it is one.
        notes: what was corrected.
    """

    planes: tuple[Plane, ...]
    mark: str = ""
    shear: tuple[float, float] = (0.0, 0.0)
    step: float = 0.0
    fault: str = ""
    notes: tuple[str, ...] = ()

    @property
    def axes(self) -> np.ndarray:
        """Columns: unit vectors along a row, along a column, and the normal, right-handed, LPS."""
        return axes_of(self.planes[0])

    def affine(self) -> np.ndarray:
        """(4, 4), from indices (column, row, slice) to LPS mm; the slices of a tilted gantry make it oblique-angled."""
        first, axes = self.planes[0], self.axes
        matrix = np.eye(4)
        matrix[:3, 0] = axes[:, 0] * first.spacing[1]
        matrix[:3, 1] = axes[:, 1] * first.spacing[0]
        matrix[:3, 2] = axes @ (*self.shear, 1.0) * self.step
        matrix[:3, 3] = first.position
        return matrix


def axes_of(plane: Plane) -> np.ndarray:
    """Columns: unit vectors along a row, along a column, and the normal of a plane, right-handed, LPS."""
    row, column = (vector / np.linalg.norm(vector) for vector in np.reshape(plane.orientation, (2, 3)))
    return np.stack([row, column, np.cross(row, column)], axis=1)


def stacks_of(planes: Sequence[Plane], name: str) -> list[Stack]:
    """The stacks of a series, largest first.

    Args:
        planes: planes of one series.
        name: name of the series in messages.
    """
    unique, repeated, conflict = _without_copies(planes)
    found = []
    for group in _alike(unique, _same_grid):
        echoes = _by_mark(group, "echo")
        for echo, part in echoes.items():
            label = _mark("echo", echo) if len(echoes) > 1 else ""
            found += [(", ".join(filter(None, (label, mark))), rest) for mark, rest in _one_a_position(part)]
    repeated += len(unique) - sum(len(part) for _, part in found)
    notes = (f"{repeated} slices of {name} were there twice",) if repeated else ()
    stacks = [_sorted(Stack(tuple(part), mark, notes=notes)) for mark, part in found]
    if conflict:
        stacks = [replace(stack, fault=conflict) for stack in stacks]
    return sorted(stacks, key=lambda stack: (-len(stack.planes), stack.mark))


def _without_copies(planes: Sequence[Plane]) -> tuple[list[Plane], int, str]:
    """Planes without those that occur twice under one UID, their number, and what is wrong if such two differ."""
    known: dict[tuple[str, int | None], Plane] = {}
    repeated, conflict = 0, ""
    for plane in planes:
        first = known.setdefault((plane.uid or str(plane.path), plane.frame), plane)
        if first is not plane:
            repeated += 1
            if not _same_pixels(first, plane):
                conflict = f"slices {first.number} and {plane.number} are two images with one SOPInstanceUID"
    return list(known.values()), repeated, conflict


def _same_grid(first: Plane, other: Plane) -> bool:
    return (
        first.size == other.size
        and np.allclose(first.spacing, other.spacing, rtol=1e-3)
        and np.allclose(first.orientation, other.orientation, atol=1e-3)
    )


def _alike(planes: Iterable[Plane], same: Callable[[Plane, Plane], bool]) -> list[list[Plane]]:
    groups: list[list[Plane]] = []
    for plane in planes:
        group = next((group for group in groups if same(group[0], plane)), None)
        if group is None:
            groups.append([plane])
        else:
            group.append(plane)
    return groups


def _by_mark(planes: Iterable[Plane], mark: str) -> dict[str, list[Plane]]:
    groups = defaultdict(list)
    for plane in planes:
        groups[plane.marks.get(mark, "")].append(plane)
    return dict(sorted(groups.items()))


def _mark(name: str, value: str) -> str:
    return f"{name} {value or 'unknown'}{_UNITS.get(name, '')}"


def _one_a_position(planes: list[Plane]) -> list[tuple[str, list[Plane]]]:
    """Groups with one plane at each position, by the first mark that separates them; one group if none does."""
    if not _doubled(planes):
        return [("", planes)]
    for name in MARKS:
        groups = _by_mark(planes, name)
        if len({len(group) for group in groups.values()}) == 1 and not any(map(_doubled, groups.values())):
            values = range(1, len(groups) + 1) if name in _TIMES else groups
            return [(_mark(name, str(value)), group) for value, group in zip(values, groups.values(), strict=True)]
    return [("", _without_equal(planes))]


def _doubled(planes: Sequence[Plane]) -> bool:
    """Whether two parallel planes lie at one height along their normal."""
    return len(planes) > 1 and float(np.diff(np.sort(_places(planes)[:, 2])).min()) < _APART_MM


def _same_position(first: Plane, other: Plane) -> bool:
    return bool(np.linalg.norm(np.subtract(first.position, other.position)) < _APART_MM)


def _without_equal(planes: Sequence[Plane]) -> list[Plane]:
    """Planes without those whose pixels equal those of another one at the same position."""
    kept: list[Plane] = []
    for plane in planes:
        if not any(_same_position(other, plane) and _same_pixels(other, plane) for other in kept):
            kept.append(plane)
    return kept


def _same_pixels(first: Plane, other: Plane) -> bool:
    return first.frame == other.frame and _digest(first.path) == _digest(other.path)


def _digest(path: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        element = dcmread(path, force=True).get_item("PixelData")
    # As it is in the file: under a wrong value representation it cannot be decoded, and is refused when it is read.
    pixels = b"" if element is None else element.value
    return hashlib.sha256(pixels if isinstance(pixels, bytes) else repr(pixels).encode()).digest()


def _places(planes: Sequence[Plane]) -> np.ndarray:
    """Positions along the rows, the columns and the normal of the first plane, (N, 3) mm."""
    return np.array([plane.position for plane in planes]) @ axes_of(planes[0])


def _sorted(stack: Stack) -> Stack:
    """The stack with its slices sorted, and with its tilt; or with its fault."""
    planes = stack.planes
    if len(planes) < _FEWEST:
        return replace(stack, fault=f"only {len(planes)} slices, as in a localizer")
    places = _places(planes)
    order = np.argsort(places[:, 2], kind="stable")
    shear = _shear(places[order], max(planes[0].spacing))
    places[:, :2] -= np.outer(places[:, 2] - places[order[0], 2], shear)
    names = [Path(f"slice {plane.number}") for plane in planes]
    try:
        ordered = order_positions(places, names)
    except UserError as error:
        return replace(stack, fault=str(error).split(":")[0])
    heights = places[ordered, 2]
    step = float(heights[-1] - heights[0]) / (len(planes) - 1)
    return replace(stack, planes=tuple(planes[index] for index in ordered), shear=shear, step=step)


def _shear(places: np.ndarray, pixel: float) -> tuple[float, float]:
    """Sideways shift per mm along the normal, of sorted slices; 0 where it is half a pixel in the whole stack."""
    steps = np.diff(places, axis=0)
    typical = np.median(steps, axis=0)
    if typical[2] <= 0 or np.hypot(*typical[:2]) * len(steps) <= pixel / 2:
        return 0.0, 0.0
    x, y = (typical[:2] / typical[2]).tolist()
    return x, y
