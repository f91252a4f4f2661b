"""Label maps as files, for tests of the evaluation."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from masks import SPACING


def write_label_map(
    path: Path,
    array: np.ndarray,
    spacing: tuple[float, float, float] = SPACING,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    """A label map (Z, Y, X) as uint8."""
    return write_values(path, array.astype(np.uint8), spacing, origin)


def write_values(
    path: Path,
    array: np.ndarray,
    spacing: tuple[float, float, float] = SPACING,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    """The values (Z, Y, X) as they are."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    image.SetOrigin(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path
