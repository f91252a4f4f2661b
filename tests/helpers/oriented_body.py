"""A label map that shows its orientation, as an array and as a file."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.labels import LABELS

SHAPE = (6, 40, 48)


def body() -> np.ndarray:
    """Label map (Z, Y, X) in LPS: liver on the patient's right, spleen on the left, in slices 2 to 4."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 10:30, 4:18] = LABELS["liver"]
    labels[2:4, 10:24, 34:44] = LABELS["spleen"]
    return labels


def write_body(path: Path, array: np.ndarray, orientation: str = "LPS") -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 5.0))
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    return path
