"""A label map of which one sees how it is turned, as an array and as a file."""

import numpy as np
import SimpleITK as sitk

from mass_nnunet.labels import LABELS

SHAPE = (6, 40, 48)


def body():
    """Label map (Z, Y, X) in LPS: liver on the patient's right, spleen on the left, in slices 2 to 4."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 10:30, 4:18] = LABELS["liver"]
    labels[2:4, 10:24, 34:44] = LABELS["spleen"]
    return labels


def write_body(path, array, orientation="LPS"):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 5.0))
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    return path
