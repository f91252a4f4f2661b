"""What a scan shows, measured without labels and without a model: field of view, voxels, body, intensities, anatomy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from mass_nnunet.data.intensities import SOFT_TISSUE
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.volume import read_volume
from mass_nnunet.registration.alignment import coarse

_OUTSIDE = -300.0
"""HU between air and the body, in a mean over a coarse voxel."""
_PERCENTILES = (10, 25, 50, 75, 90, 97)
_SAMPLES = 200_000  # voxels of which percentiles are taken


@dataclass(frozen=True)
class Description:
    """Measures of one scan; z is the axis to the patient's head, or that of oblique slices.

    Attributes:
        extent: mm (z, y, x).
        spacing: mm (z, y, x).
        body: depth and width (y, x) of the body in mm, medians of its slices.
        tissue: percentiles of the intensities inside the body; in HU for CT, else divided by their median.
        image: intensities (Z, Y, X) on a grid of about 15 mm; for CT in 100 HU, else in standard deviations inside the
            body from its mean.
    """

    extent: tuple[float, ...]
    spacing: tuple[float, ...]
    body: tuple[float, ...]
    tissue: np.ndarray
    image: np.ndarray


def describe(file: Path, *, is_ct: bool, pose: Pose) -> Description:
    """Describe the first channel of a scan.

    Args:
        file: its file.
        is_ct: whether intensities are HU.
        pose: that of all scans that are compared.

    Raises:
        UserError: the file is no sound scan.
    """
    turned = pose.turn(read_volume(file))
    voxels, spacing = sitk.GetArrayFromImage(turned), turned.GetSpacing()[::-1]
    extent = tuple(size * edge for size, edge in zip(voxels.shape, spacing, strict=True))
    sample = voxels.ravel()[:: max(1, voxels.size // _SAMPLES)].astype(np.float32)
    small = coarse(torch.from_numpy(np.asarray(voxels, np.float32)), spacing).numpy()
    if is_ct:
        threshold = _OUTSIDE
        inside = sample[(sample > SOFT_TISSUE[0]) & (sample < SOFT_TISSUE[1])]
        image = np.clip(small, *SOFT_TISSUE) / 100
    else:
        threshold = float(small.mean()) / 2
        inside = sample[sample > threshold]
        body = small[small > threshold]
        image = np.clip((small - body.mean()) / max(float(body.std()), 1e-6), -3, 3) if body.size else 0 * small
    tissue = np.percentile(inside, _PERCENTILES) if inside.size else np.zeros(len(_PERCENTILES))
    if not is_ct:
        tissue = tissue / max(float(tissue[_PERCENTILES.index(50)]), 1e-6)
    return Description(extent, spacing, _size_of_body(small > threshold, extent), tissue, image.astype(np.float32))


def _size_of_body(mask: np.ndarray, extent: Sequence[float]) -> tuple[float, ...]:
    """Depth and width in mm of a body (Z, Y, X); zeros where there is none."""
    shown = mask[mask.any((1, 2))]
    if not len(shown):
        return 0.0, 0.0
    voxels = (np.median(shown.any(3 - axis).sum(1)) for axis in (1, 2))  # along y, along x
    return tuple(float(v * extent[axis] / mask.shape[axis]) for axis, v in zip((1, 2), voxels, strict=True))
