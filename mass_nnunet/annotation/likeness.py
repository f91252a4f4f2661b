"""How unlike scans of one modality are: in what they show, how they were made, and what the patients are like.

Each aspect has a distance of its own in a unit of its own. Their root mean square, with each divided by its median over
all pairs of scans, is the distance of two scans, at most :data:`LARGEST`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mass_nnunet.registration.alignment import best_alignment

from .description import Description

_LEAST = {"field of view": 0.1, "resolution": 0.1, "size of the body": 0.05, "intensities": 0.05, "anatomy": 0.1}
"""Differences below are noise: the divisor of an aspect is at least this."""
LARGEST = 2.0
"""Scans that are farther apart are unlike, whatever the distance: an outlier does not count more for being extreme."""
_HU = 100.0  # the intensities of a CT are compared in this unit
_COMMON = 0.1
"""Least share of a scan that another one must show, too, for their anatomy to be compared."""


@dataclass(frozen=True)
class Likeness:
    """Distances of N scans.

    Attributes:
        distance: (N, N), 0 for equal, to :data:`LARGEST`; about 1 in the median of different scans.
        aspects: (N, N) of each aspect by its name, divided as said above.
    """

    distance: np.ndarray
    aspects: dict[str, np.ndarray]

    def main_aspect(self, first: int, second: int) -> str:
        """The aspect in which two scans differ most."""
        return max(self.aspects, key=lambda name: float(self.aspects[name][first, second]))


def compare(scans: Sequence[Description], *, is_ct: bool) -> Likeness:
    """Compare all scans of a modality with each other.

    Args:
        scans: their descriptions.
        is_ct: whether intensities are HU.
    """
    anatomy = _aligned(scans)
    aspects = {
        "field of view": _pairs(len(scans), lambda i, j: _ratio(scans[i].extent[0], scans[j].extent[0])),
        "resolution": _pairs(len(scans), lambda i, j: _ratio(scans[i].spacing, scans[j].spacing)),
        "size of the body": _pairs(len(scans), lambda i, j: _ratio(scans[i].body, scans[j].body)),
        "intensities": _pairs(len(scans), lambda i, j: _rms(scans[i].tissue - scans[j].tissue) / (_HU if is_ct else 1)),
        "anatomy": _pairs(len(scans), lambda i, j: _difference(anatomy[i], anatomy[j])),
    }
    relative = {}
    for name, values in aspects.items():
        known = values[np.isfinite(values) & ~np.eye(len(values), dtype=bool)]
        farthest = float(known.max()) if known.size else 1.0
        usual = max(float(np.median(known)) if known.size else 0.0, _LEAST[name])
        relative[name] = np.where(np.isfinite(values), values, farthest) / usual
    distance = np.sqrt(np.mean([values**2 for values in relative.values()], axis=0))
    return Likeness(np.minimum(distance, LARGEST), relative)


def _pairs(count: int, distance: Callable[[int, int], float]) -> np.ndarray:
    """A symmetric matrix of the distances of all pairs."""
    found = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            found[i, j] = found[j, i] = distance(i, j)
    return found


def _ratio(first: float | Sequence[float], second: float | Sequence[float]) -> float:
    """Root mean square of the logarithms of the ratios of lengths."""
    return _rms(np.log(np.maximum(first, 1e-3)) - np.log(np.maximum(second, 1e-3)))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square difference of two aligned images where both show something; NaN if they share too little."""
    both = ~(np.isnan(first) | np.isnan(second))
    least = _COMMON * min(np.count_nonzero(~np.isnan(image)) for image in (first, second))
    return _rms(first[both] - second[both]) if both.sum() > least else float("nan")


def _aligned(scans: Sequence[Description]) -> list[np.ndarray]:
    """The coarse images on the grid of the one that shows most of the body along z; NaN where a scan shows nothing."""
    images = [torch.from_numpy(scan.image) for scan in scans]
    longest = max(range(len(scans)), key=lambda i: scans[i].extent[0])
    laid = []
    for number, image in enumerate(images):
        alignment = None if number == longest else best_alignment(image, images[longest])
        if number == longest:
            laid.append(image.numpy())
        elif alignment is None:
            laid.append(np.full(images[longest].shape, np.nan, np.float32))
        else:
            index = alignment.voxels(images[longest].shape)
            inside = [(v >= 0) & (v < n) for v, n in zip(index, alignment.size, strict=True)]
            clipped = [np.clip(v, 0, n - 1) for v, n in zip(index, alignment.size, strict=True)]
            values = alignment.scaled(image)[np.ix_(*clipped)]
            shown = inside[0][:, None, None] & inside[1][:, None] & inside[2]
            laid.append(np.where(shown, values, np.nan))
    return laid
