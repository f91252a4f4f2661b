"""Oblique scans: slices at an angle to the body's axes."""

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation


def tilted(image: sitk.Image, about_x: float, about_z: float) -> sitk.Image:
    """The volume with its axes turned by two angles in degrees, about x first."""
    result = sitk.Image(image)
    turn = Rotation.from_euler("xz", [about_x, about_z], degrees=True).as_matrix()
    result.SetDirection((turn @ np.reshape(image.GetDirection(), (3, 3))).ravel())
    # LPS, as the volumes of the helpers: thick slices.
    result.SetSpacing((1.5, 2.0, 6.0))
    return result
