"""One synthetic patient: the scans that are written into the trees, with their label maps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mass_nnunet.labels import LABELS

from .anatomy import Physique, paint_anatomy
from .contrast_ct import scan_ct
from .contrast_mr import SEQUENCES, sample_signals, scan_mr
from .tissues import Btcv

MODALITIES = ("CT", "MRI")
_PROJECT_LABELS = np.zeros(len(Btcv) + 1, np.uint8)
for _name in ("spleen", "right_kidney", "left_kidney", "liver"):
    _PROJECT_LABELS[Btcv[_name.upper()]] = LABELS[_name]
# Orders in which CT files store voxels: the direction of the x, y axes in DICOM's left, posterior coordinates.
_CT_AXES = {"LAS": (1, -1), "LPS": (1, 1), "RAS": (-1, -1), "RPS": (-1, 1)}


@dataclass(frozen=True, eq=False)
class SyntheticScan:
    """A synthetic scan and its label maps, in the orientation in which they are stored.

    Arrays are (Z, Y, X). ``spacing`` and ``origin`` are in mm and in (x, y, z) order, ``direction`` is a row-major 3x3
    matrix, all as in SimpleITK: coordinates grow towards the patient's left, back and head (LPS).
    """

    image: np.ndarray
    organs: np.ndarray  # uint8, the project's LABELS
    btcv: np.ndarray  # uint8, BTCV's 13 values
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Patient:
    """A synthetic patient.

    ``scans`` has the key CT, or the keys T1IN, T1OUT and T2SPIR. Both T1 scans are on one grid, T2 is on another.
    """

    number: int
    modality: str
    scans: dict[str, SyntheticScan]


def make_patient(seed: int, index: int, modality: str, size: Sequence[int]) -> Patient:
    """Make a patient. Equal arguments give equal patients; each modality and index gives another one.

    Args:
        seed: seed of the whole phantom.
        index: number of the patient in the dataset.
        modality: one of ``MODALITIES``.
        size: voxels along z, y, x.
    """
    seeds = [seed, MODALITIES.index(modality), index]
    rng = np.random.default_rng(seeds)
    physique = Physique.sample(rng)
    scans = {}
    if modality == "CT":
        grid = _sample_grid(physique, rng, size)
        tissue, btcv = paint_anatomy(physique, np.random.default_rng([*seeds, 1]), grid.axes)
        scans["CT"] = grid.stored(scan_ct(tissue, rng), btcv, rng.choice(list(_CT_AXES), p=(0.55, 0.15, 0.2, 0.1)))
        return Patient(index, modality, scans)
    signals = sample_signals(rng)
    for sequences in (SEQUENCES[:2], SEQUENCES[2:]):
        grid = _sample_grid(physique, rng, size)
        # The same organs in another breath-hold: the grid is moved, and so is the deformation, which covers the field
        # of view.
        tissue, btcv = paint_anatomy(physique, np.random.default_rng([*seeds, 1]), grid.axes)
        for sequence in sequences:
            scans[sequence] = grid.stored(scan_mr(tissue, sequence, signals, rng), btcv, "LPS")
    return Patient(index, modality, scans)


@dataclass(frozen=True, eq=False)
class _Grid:
    """Voxel centres along z, y, x in mm of the patient, and their origin in the scanner."""

    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    scanner_origin: np.ndarray

    def stored(self, image: np.ndarray, btcv: np.ndarray, axes_code: str) -> SyntheticScan:
        """A scan stored along the given axes; positions of voxels in space do not change."""
        signs = _CT_AXES[axes_code]
        order = (slice(None), slice(None, None, signs[1]), slice(None, None, signs[0]))
        spacing = [axis[1] - axis[0] for axis in reversed(self.axes)]
        first = [0 if sign > 0 else -1 for sign in (*signs, 1)]
        corner = [axis[place] for axis, place in zip(reversed(self.axes), first, strict=True)]
        return SyntheticScan(
            image=np.ascontiguousarray(image[order]),
            organs=_PROJECT_LABELS[btcv[order]],
            btcv=np.ascontiguousarray(btcv[order]),
            spacing=_three(spacing),
            origin=_three(corner + self.scanner_origin),
            direction=(float(signs[0]), 0.0, 0.0, 0.0, float(signs[1]), 0.0, 0.0, 0.0, 1.0),
        )


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    x, y, z = map(float, values)
    return x, y, z


def _sample_grid(physique: Physique, rng: np.random.Generator, size: Sequence[int]) -> _Grid:
    """A field of view around the body: square in plane, 280 to 420 mm; 180 to 320 mm along z, mostly of the organs."""
    in_plane = np.clip(physique.width * rng.uniform(1.02, 1.2), 280, 420)
    along = np.clip(215 * physique.scale[2] * rng.uniform(0.95, 1.35), 180, 320)
    centre = np.array([38 * physique.scale[2] + rng.normal(0, 7), rng.normal(0, 5), rng.normal(0, 4)])  # z, y, x
    extents = (along, in_plane * size[1] / max(size[1:]), in_plane * size[2] / max(size[1:]))
    z, y, x = (
        middle + ((np.arange(length) + 0.5) / length - 0.5) * extent
        for middle, length, extent in zip(centre, size, extents, strict=True)
    )
    return _Grid((z, y, x), rng.normal(0, (10, 20, 300)))
