"""The surfaces of two masks and the distances between them, in millimetres.

The image is continued beyond its border: an organ has no surface where the field of view cuts it off. A mask may be cut
out of its image with a margin of one voxel; all positions are relative.

The code is our own since no library has both conventions: MONAI has these distances, but no surface Dice weighted by
area; google-deepmind/surface-distance has this surface Dice, but other distances. It is also faster: all metrics of two
ellipsoids of the size of a liver (70 x 180 x 180 voxels, one core) take 0.20 s, surface Dice and HD95 of
surface-distance 0.36 s, and MONAI's three distances 0.39 s. The tests compare it with both.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes, mesh_surface_area

Spacing = tuple[float, float, float]
ROUNDING = 1e-5
"""Slack added to a tolerance, in mm: three voxels of 0.7 mm are within 2.1 mm, although the header stores float32."""


def surface_voxels(mask: np.ndarray) -> np.ndarray:
    """Mask (Z, Y, X) of the voxels of a boolean ``mask`` (Z, Y, X) with a face neighbour outside the mask."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        here, there = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        here[1:] &= there[:-1]
        here[:-1] &= there[1:]
    return mask & ~inner


def surface_codes(mask: np.ndarray) -> np.ndarray:
    """Code of each voxel corner: which of the eight voxels around it are in a boolean ``mask`` (Z, Y, X).

    Returns:
        uint8 (Z + 1, Y + 1, X + 1), one bit for each of the eight voxels; 0 and 255 have no surface.
    """
    padded = np.pad(mask, 1, mode="edge").view(np.uint8)
    codes = np.zeros([size + 1 for size in mask.shape], np.uint8)
    for bit, offset in enumerate(product((0, 1), repeat=3)):
        part = tuple(slice(start, start + size) for start, size in zip(offset, codes.shape, strict=True))
        codes |= padded[part] << bit
    return codes


@cache
def element_areas(spacing: Spacing) -> np.ndarray:
    """Area in mm2 of the marching cubes surface (Lorensen and Cline 1987) of each of ``surface_codes``, (256,)."""
    areas = np.zeros(256)
    for code in range(1, 255):
        bits = np.array([code >> bit & 1 for bit in range(8)])
        # A mask and its complement have the same surface; Lorensen's table has another one for more than four voxels.
        fewer = bits if bits.sum() <= 4 else 1 - bits
        vertices, faces, _, _ = marching_cubes(
            fewer.reshape(2, 2, 2).astype(float), 0.5, spacing=spacing, method="lorensen"
        )
        areas[code] = mesh_surface_area(vertices, faces)
    return areas


def nearest(here: np.ndarray, there: np.ndarray, spacing: Spacing, within: float = np.inf) -> np.ndarray:
    """Distance from each point of ``here`` to the nearest point of ``there``, both boolean (Z, Y, X).

    Returns:
        mm, (N,), in the order of ``here[here]``; infinite where no point of ``there`` is closer than ``within``.
    """
    distances = np.zeros(np.count_nonzero(here))
    apart = np.argwhere(here & ~there) * spacing
    tree = cKDTree(np.argwhere(there) * spacing, balanced_tree=False)
    distances[~there[here]] = tree.query(apart, distance_upper_bound=within)[0]
    return distances


class SurfaceDistances(NamedTuple):
    """Distances between two surfaces, in mm.

    Attributes:
        hd: Hausdorff distance, the largest of all distances (maximum symmetric surface distance, MSSD).
        hd95: the larger of the two directed 95th percentiles.
        assd: average symmetric surface distance, the mean over all surface voxels of both masks.
    """

    hd: float
    hd95: float
    assd: float


def surface_distances(prediction: np.ndarray, truth: np.ndarray, spacing: Spacing) -> SurfaceDistances:
    """Distances between the surface voxels of two boolean masks (Z, Y, X); ``spacing`` in mm, in (z, y, x) order.

    These are the definitions of the CHAOS challenge (Kavur et al. 2021; github emrekavur/CHAOS-evaluation), and those
    of MONAI (``use_subvoxels=False``) for masks that do not touch the border of the image.
    google-deepmind/surface-distance puts the surface on voxel corners and weights by area, which differs by up to the
    diagonal of a voxel.

    All are NaN when both masks are empty, and infinite when one of them is empty or fills the image.
    """
    if not prediction.any() and not truth.any():
        return SurfaceDistances(*[float("nan")] * 3)
    surfaces = surface_voxels(prediction), surface_voxels(truth)
    if not all(surface.any() for surface in surfaces):
        return SurfaceDistances(*[float("inf")] * 3)
    directed = [nearest(*surfaces, spacing), nearest(*surfaces[::-1], spacing)]
    both = np.concatenate(directed)
    hd95 = max(np.percentile(distances, 95) for distances in directed)
    return SurfaceDistances(float(both.max()), float(hd95), float(both.mean()))


def surface_dice(
    prediction: np.ndarray, truth: np.ndarray, spacing: Spacing, tolerances: Sequence[float]
) -> list[float]:
    """Normalized surface Dice of two boolean masks (Z, Y, X), 0 to 1, one for each of ``tolerances`` in mm.

    It is the area of both surfaces within the tolerance of the other one, divided by the area of both (Nikolov et al.
    2021, "Clinically applicable segmentation of head and neck anatomy", J Med Internet Res), with the surface in the
    elements of google-deepmind/surface-distance: the marching cubes between eight voxels, which stand at their corner.
    Elements are weighted by area since a count of voxels (MONAI's ``use_subvoxels=False``) gives the sides of an organ
    too little weight on thick slices: it was up to 0.05 lower on synthetic organs with slices of 8 mm.

    All are NaN when neither mask has a surface, and 0 when one of them has none.
    """
    codes = surface_codes(prediction), surface_codes(truth)
    here, there = surfaces = tuple((code != 0) & (code != 255) for code in codes)
    limits = np.asarray(tolerances) + ROUNDING
    within = limits.max() + ROUNDING
    distances = np.concatenate([nearest(here, there, spacing, within), nearest(there, here, spacing, within)])
    of_code = element_areas(tuple(spacing))
    areas = np.concatenate([of_code[code[surface]] for code, surface in zip(codes, surfaces, strict=True)])
    if not areas.size:
        return [float("nan")] * len(limits)
    return [float(areas[distances <= limit].sum() / areas.sum()) for limit in limits]
