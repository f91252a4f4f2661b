"""The phantom's reference body, on a coarse grid."""

import numpy as np

from mass_nnunet.phantom.canvas import Canvas
from mass_nnunet.phantom.variation import Variation


class NoVariation(Variation):
    """Positions, sizes and angles of the reference body; what is chance comes from a generator with a seed."""

    POSITION_MM, SIZE, DEGREES = 0, 0, 0


def reference_body() -> tuple[Canvas, Variation]:
    """An empty canvas of 5 mm, from the pelvis to the lungs, and no variation."""
    z, y, x = np.meshgrid(
        *(np.arange(*ends, 5, dtype=np.float32) for ends in ((-160, 170), (-130, 135), (-190, 195))), indexing="ij"
    )
    return Canvas((x, y, z)), NoVariation(np.random.default_rng(0))
