"""Annotated scans registered to a case: what their annotations say about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_dilation
from torch import Tensor

from mass_nnunet.losses.similarity import local_correlation
from mass_nnunet.registration.alignment import Alignment, alignments
from mass_nnunet.registration.fields import downsample, upsample, voxel_grid, warp
from mass_nnunet.registration.refinement import refine

from .grid import Coarse

NEAR = 3
"""Voxels around organs whose similarity counts."""
MARGIN = 8
"""Voxels of the coarse grid around the laid organs in which the registration works."""
STEPS = (40, 25)
"""Steps of the refinement on a grid of twice the edge, and on the coarse grid."""
STARTS = 2
"""Alignments from which the refinement starts on the first grid; the one that ends most similar goes on."""


@dataclass(frozen=True)
class Laid:
    """An annotated scan on the grid of a case.

    Attributes:
        shares: share of each label (K, Z, Y, X), 0 beyond the annotated scan.
        image: its intensities (Z, Y, X).
        known: where the annotated scan has voxels, boolean (Z, Y, X).
        similarity: local correlation of both images (Z, Y, X), 0 to 1; 0 beyond the annotated scan.
        judged: where the annotation counts, boolean (Z, Y, X): everywhere, because there are no organs beyond a scan
            that shows them whole; where slices were left out of the annotated scan, only where it has voxels.
    """

    shares: np.ndarray
    image: np.ndarray
    known: np.ndarray
    similarity: np.ndarray
    judged: np.ndarray

    @property
    def likeness(self) -> float:
        """Mean similarity in and around the organs that were laid on the case."""
        near = binary_dilation(self.shares[1:].sum(0) > 0.1, iterations=NEAR)
        return float(self.similarity[near].mean()) if near.any() else 0.0


def lay(atlas: Coarse, shares: np.ndarray, case: Coarse, *, is_cut: bool = False) -> Laid:
    """Register an annotated scan to a case: scaling and translation of the whole, then a displacement field.

    Args:
        atlas: the annotated scan.
        shares: its labels (K, Z', Y', X'), the background first.
        case: the case, of the same modality.
        is_cut: whether slices were left out of the annotated scan.
    """
    moving, fixed = (torch.from_numpy(scan.image) for scan in (atlas, case))
    low = [scan.coarsest() for scan in (atlas, case)]
    volumes = torch.cat([moving[None], torch.from_numpy(shares).float()])
    found = [one for one in alignments(*low) if one.correlation > 0][:STARTS]
    if not found:  # one of them has no content
        z, y, x = low[0].shape
        found = [Alignment(0.0, (z, y, x), np.zeros(3, int))]
    starts = [_moved(volumes, fixed, low[1].shape, start) for start in found]
    begun = [_begin(start, fixed) for start in starts]
    best = int(np.argmax([first.likeness for first in begun]))
    laid = begun[best].finished()
    return replace(laid, judged=laid.known) if is_cut else laid


@dataclass(frozen=True)
class _Begun:
    """A start, refined on the first grid."""

    laid: Tensor  # (1 + K, Z, Y, X)
    known: Tensor
    fixed: Tensor
    box: tuple[slice, ...]
    field: Tensor  # (1, 3, Z', Y', X') in the box

    @property
    def likeness(self) -> float:
        return self._warped(self.field).likeness

    def finished(self) -> Laid:
        pair = (self.laid[0][self.box][None, None], self.fixed[self.box][None, None])
        return self._warped(refine(self.field, *pair, STEPS[1]))

    def _warped(self, field: Tensor) -> Laid:
        box = self.box
        field = upsample(field, self.fixed[box].shape)
        result, shown = self.laid.clone(), self.known.clone()
        inner = (slice(None), *box)
        result[inner] = warp(self.laid[inner][None], field)[0]
        shown[box] = warp(self.known[box][None, None].float(), field)[0, 0] > 0.5
        organs = result[2:] * shown
        shares = torch.cat([1 - organs.sum(0, keepdim=True), organs])
        similarity = torch.zeros_like(self.fixed)
        similarity[box] = local_correlation(result[0][box][None, None], self.fixed[box][None, None])[0, 0]
        everywhere = np.ones(self.fixed.shape, bool)
        return Laid(shares.numpy(), result[0].numpy(), shown.numpy(), (similarity * shown).numpy(), everywhere)


def _begin(start: tuple[Tensor, Tensor], fixed: Tensor) -> _Begun:
    laid, known = start
    box = _box(laid[2:].sum(0) * known)
    half = [max(4, n // 2) for n in fixed[box].shape]
    pair = [downsample(volume[box][None, None], half) for volume in (laid[0], fixed)]
    return _Begun(laid, known, fixed, box, refine(torch.zeros(1, 3, *half), *pair, STEPS[0]))


def _moved(volumes: Tensor, fixed: Tensor, coarsest: Sequence[int], start: Alignment) -> tuple[Tensor, Tensor]:
    """Volumes (C, Z', Y', X') scaled and translated onto the grid of the case, and where they have voxels (Z, Y, X).

    Args:
        volumes: the volumes.
        fixed: the case (Z, Y, X).
        coarsest: shape of the case where it was aligned.
        start: the alignment.
    """
    shape = volumes.shape[1:]
    grid = voxel_grid(fixed.shape, fixed.device)[0]  # (3, Z, Y, X)
    places = []
    for axis, size in enumerate(shape):
        step, own = fixed.shape[axis] / coarsest[axis], size / start.size[axis]
        places.append(
            ((grid[axis] + 0.5) / step - float(start.shift[axis])) * own - 0.5
        )  # centres of voxels lie at + 1/2
    normal = [(2 * places[axis] + 1) / shape[axis] - 1 for axis in (2, 1, 0)]
    laid = F.grid_sample(volumes[None], torch.stack(normal, -1)[None], padding_mode="border", align_corners=False)
    known = torch.stack([(p > -0.5) & (p < n - 0.5) for p, n in zip(places, shape, strict=True)]).all(0)
    return laid[0], known


def _box(organs: Tensor) -> tuple[slice, ...]:
    """The box of organs (Z, Y, X) with :data:`MARGIN`; everything where there are none."""
    found = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(organs.amax(others).numpy() > 0.1)
        first, last = (hit[0], hit[-1]) if hit.size else (0, organs.shape[axis] - 1)
        found.append(slice(max(0, int(first) - MARGIN), min(organs.shape[axis], int(last) + MARGIN + 1)))
    return tuple(found)
