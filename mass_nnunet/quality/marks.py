"""Marks: one line for each sign that a scan or its segmentation is wrong. A marked case is never called good."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import find_objects, gaussian_filter

from mass_nnunet.data.intensities import is_ct
from mass_nnunet.data.pose import Pose
from mass_nnunet.registration.translation import best_translation

from .evidence import Evidence, Reference
from .features import dice
from .grid import Coarse

DIRECTIONS = {
    Pose.UPRIGHT: (("feet", "head"), ("back", "front"), ("left", "right")),
    Pose.SLICES: (("first slice", "last slice"), ("lower edge", "upper edge"), ("left edge", "right edge")),
}
"""Where each axis (z, y, x) of the coarse grid begins and ends. Oblique slices are stacked to the right, back or head
(:func:`mass_nnunet.data.axes.stacked_axes`); their edges are those of the pictures."""
SMALL, LARGE = 0.4, 2.5
"""A volume is unusual below and above this share of the smallest and the largest annotated one."""
UNLIKE = 0.65
"""A scan is unlike the annotated ones below this share of the median likeness among them."""
DARK = 100.0
"""Distance in HU of the dark voxels of a CT from those of the annotated CTs, beyond which it is no such CT."""
FAR = 30.0
"""Shift in mm that is marked where a segmentation would fit the evidence better, by :data:`GAIN` in Dice."""
GAIN = 0.1
APART = 20.0
"""Least distance in mm, along an axis, of two organs whose order is the same in all annotated scans."""
CUT = 0.15
"""Share of an organ's largest cross-section that must lie on the border of a scan to be cut."""


@dataclass(frozen=True)
class Usual:
    """What is usual in the annotated scans, each seen by the others.

    Attributes:
        likeness: median :attr:`Evidence.likeness`.
        smoothness: least :func:`smoothness`.
        dark: least and largest percentile 1 of the intensities: those of air.
        volumes: least and largest volume of each organ, in ml.
        order: pairs of organs, the axis along which the first always lies before the second, and the least distance.
    """

    likeness: float
    smoothness: float
    dark: tuple[float, float]
    volumes: tuple[tuple[float, float], ...]
    order: tuple[tuple[int, int, int], ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Usual":
        """From :meth:`as_json`, after JSON has made lists of tuples."""
        least, most = content["dark"]
        return cls(
            content["likeness"],
            content["smoothness"],
            (least, most),
            tuple(tuple(pair) for pair in content["volumes"]),
            tuple(tuple(one) for one in content["order"]),
        )


def usual(references: Mapping[str, Reference], likeness: Mapping[str, float]) -> Usual:
    """Measure what is usual in annotated scans.

    Args:
        references: the annotated scans, by name.
        likeness: :attr:`Evidence.likeness` of each of them to the others.
    """
    scans = list(references.values())
    dark = [scan.scan.percentiles[0] for scan in scans]
    volumes = _known_volumes(scans)
    centres = np.array([_centres(scan.shares, scan.scan.edges) for scan in scans])  # (R, K - 1, 3)
    count = centres.shape[1]
    order = tuple(
        (first, second, axis)
        for first in range(count)
        for second in range(count)
        for axis in range(3)
        if _always_apart(centres[:, second, axis] - centres[:, first, axis])
    )
    return Usual(
        float(np.median(list(likeness.values()))),
        min(smoothness(scan.scan.image) for scan in scans),
        (min(dark), max(dark)),
        tuple((float(a), float(b)) for a, b in zip(np.nanmin(volumes, 0), np.nanmax(volumes, 0), strict=True)),
        order,
    )


def _always_apart(distances: np.ndarray) -> bool:
    """Whether two organs lie apart in all scans (R,) that have both; NaN in those that have not."""
    known = distances[~np.isnan(distances)]
    return bool(len(known) and (known > APART).all())


def _known_volumes(scans: Sequence[Reference]) -> np.ndarray:
    """Volumes (R, K - 1) in ml, NaN for an organ that goes on, or may lie, where a cut scan is not annotated.

    An organ that is whole in no scan has the volumes of its parts.
    """
    volumes = np.array([scan.volumes for scan in scans])
    known = volumes.copy()
    for row, scan in zip(known, scans, strict=True):
        if scan.is_cut:
            row[scan.shares[1:, [0, -1]].any((1, 2, 3)) | (row == 0)] = np.nan
    return np.where(np.isnan(known).all(0), volumes, known)


def marks(
    shares: np.ndarray,
    volumes: Sequence[float],
    evidence: Evidence,
    known: Usual,
    organs: Sequence[str],
    modality: str,
) -> list[str]:
    """The marks of a case, each one line.

    Args:
        shares: its segmentation, share of each label (K, Z, Y, X), the background first.
        volumes: volume of each label (K,) in ml, in the file: small organs fill no coarse voxel.
        evidence: what the annotated scans say about it.
        known: what is usual in the annotated scans.
        organs: names of the labels but the background.
        modality: name of the first channel.
    """
    case = evidence.case
    scan = _of_the_scan(case, evidence, known, modality)
    if not any(volumes[1:]):
        return [*scan, "nothing is segmented"]
    return [*scan, *_of_organs(shares, volumes, case, known, organs), *_of_the_place(shares, evidence)]


def smoothness(image: np.ndarray) -> float:
    """Correlation of neighbouring voxels (Z, Y, X) along the three axes, the least one: 0 for noise."""
    found = []
    for axis in range(3):
        one, other = np.delete(image, 0, axis).ravel(), np.delete(image, -1, axis).ravel()
        if one.size:
            found.append(float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 and other.std() > 0 else 0.0)
    return min(found, default=0.0)


def _of_the_scan(case: Coarse, evidence: Evidence, known: Usual, modality: str) -> list[str]:
    found = []
    if (text := strange_intensities(case, known, modality)) is not None:
        found.append(text)
    even = smoothness(case.image)
    if even < 0.6 * known.smoothness:
        return [*found, f"the scan is noise or has no content: neighbouring voxels correlate by {even:.2f}"]
    if evidence.likeness < UNLIKE * known.likeness:
        found.append(
            f"the scan is unlike the annotated ones (likeness {evidence.likeness:.2f}, usually {known.likeness:.2f}): "
            "another part of the body, another modality, or badly turned"
        )
    return found


def strange_intensities(case: Coarse, known: Usual, modality: str) -> str | None:
    """A mark where intensities are those of another modality."""
    dark, middle = case.percentiles
    if is_ct(modality):
        if not known.dark[0] - DARK <= dark <= known.dark[1] + DARK:
            usual_dark = f"{known.dark[0]:.0f} to {known.dark[1]:.0f} in annotated ones"
            return f"the scan's air has {dark:.0f} HU, {usual_dark}: it is no CT, or prepared otherwise"
    elif dark < 0 <= known.dark[0] and dark < -0.2 * abs(middle) - 50:
        return f"the scan has negative intensities ({dark:.0f}), as a CT has: it is of another modality"
    return None


def _of_organs(
    shares: np.ndarray, volumes: Sequence[float], case: Coarse, known: Usual, organs: Sequence[str]
) -> list[str]:
    found = []
    for organ, volume, part, (least, most) in zip(organs, volumes[1:], shares[1:], known.volumes, strict=True):
        name = organ.replace("_", " ")
        if volume == 0:
            found.append(f"{name}: nothing is segmented")
            continue
        if not SMALL * least <= volume <= LARGE * most:
            found.append(f"{name}: {volume:.0f} ml, where annotated ones have {least:.0f} to {most:.0f} ml")
        ends = DIRECTIONS[case.lattice.pose][0]
        found += [f"{name}: cut by the border of the scan at the {ends[i]}" for i in _cut(part > 0.5)]
    centres = _centres(shares, case.edges)
    for first, second, axis in known.order:
        if volumes[first + 1] and volumes[second + 1] and centres[first, axis] > centres[second, axis]:
            one, other = (organs[k].replace("_", " ") for k in (first, second))
            end = DIRECTIONS[case.lattice.pose][axis][1]
            found.append(f"{one}: lies nearer to the {end} than {other}, in no annotated scan")
    return found


def _cut(mask: np.ndarray) -> list[int]:
    """At which ends (0, 1) of the first axis the border of the scan cuts an organ (Z, Y, X)."""
    areas = mask.sum((1, 2))
    return [end for end in (0, 1) if areas[-end] > CUT * areas.max()]


def _of_the_place(shares: np.ndarray, evidence: Evidence) -> list[str]:
    """A mark where the whole segmentation would fit the evidence better elsewhere."""
    shares, opinion = evidence.seen(shares), evidence.after
    moving, fixed = (torch.from_numpy(np.ascontiguousarray(array))[None] for array in (shares, opinion))
    shift = best_translation(moving, fixed)[0].numpy()
    distance = float(np.linalg.norm(shift * evidence.case.edges))
    if distance < FAR:
        return []
    moved = np.stack([np.roll(part, tuple(shift.astype(int)), (0, 1, 2)) for part in shares[1:]])
    gain = dice(moved, opinion[1:]) - dice(shares[1:], opinion[1:])
    if gain < GAIN:
        return []
    axis = int(np.abs(shift * evidence.case.edges).argmax())
    end = DIRECTIONS[evidence.case.lattice.pose][axis][int(shift[axis] > 0)]
    return [f"the segmentation fits better {distance:.0f} mm further to the {end}: it is shifted"]


def _centres(shares: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Centroid (K - 1, 3) of each label but the background, in mm from the first voxel; NaN for an empty one."""
    grid = [np.arange(n) * edge for n, edge in zip(shares.shape[1:], edges, strict=True)]
    found = []
    for organ in shares[1:]:
        total = organ.sum()
        sums = [organ.sum(tuple(other for other in range(3) if other != axis)) for axis in range(3)]
        found.append([float(s @ g / total) if total > 0 else np.nan for s, g in zip(sums, grid, strict=True)])
    return np.array(found)


def most_doubtful(
    organ: np.ndarray, opinion: np.ndarray, widths: float | Sequence[float] = 2.0
) -> tuple[int, int, int]:
    """The voxel (z, y, x) around which an organ and another opinion on it (both (Z, Y, X)) disagree most.

    Args:
        organ: share of the organ in each voxel.
        opinion: the same by the other opinion.
        widths: standard deviation in voxels within which differences add up, along each axis or all of them.
    """
    difference = np.abs(organ - opinion)
    # Only where the two differ: filtering a whole scan takes minutes.
    boxes = find_objects((difference > 0).astype(np.int8)) or [(slice(0, 1),) * 3]
    near = gaussian_filter(difference[boxes[0]], widths, mode="constant")
    place = np.unravel_index(int(near.argmax()), near.shape)
    z, y, x = (int(index) + part.start for index, part in zip(place, boxes[0], strict=True))
    return z, y, x
