"""One patient's anatomy on one scan's grid."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from . import torso, viscera
from .bowel import paint_bowel
from .canvas import Canvas, spline_field
from .variation import Variation

SUBSAMPLES = 2  # grid points along each axis of a voxel, for partial volume effects
Axes = tuple[np.ndarray, np.ndarray, np.ndarray]
CONTROLS = (6, 7, 8)  # control points of the random deformation, about 50 mm apart


@dataclass(frozen=True)
class Physique:
    """Size, shape and position of a patient's body, relative to the reference body."""

    scale: np.ndarray  # (3,), x y z
    fatness: float
    degrees: np.ndarray  # (3,), about x, y, z
    deformation: np.ndarray  # (3, *CONTROLS) in mm

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Physique":
        """Sample a physique: body size, fatness, and a slight rotation and deformation."""
        together, x, y, z = rng.standard_normal(4) * (0.05, 0.03, 0.04, 0.05)
        return cls(
            scale=np.exp(together + np.array([x, y, z])) * (0.95, 1.0, 1.0),
            fatness=float(np.exp(0.45 * rng.standard_normal())),
            degrees=rng.standard_normal(3) * (2, 2, 3.5),
            deformation=rng.standard_normal((3, *CONTROLS)).astype(np.float32) * 9,
        )

    @property
    def width(self) -> float:
        """Approximate width of the body, mm."""
        return float(2 * self.scale[0] * (torso.WALL[0] + 19 * self.fatness))

    def body_points(self, axes: Axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Body coordinates x, y, z of a grid, each (Z, Y, X), from its scanner coordinates along z, y, x, in mm."""
        to_body = Rotation.from_euler("xyz", self.degrees, degrees=True).as_matrix().T / self.scale[:, None]
        z, y, x = (np.asarray(axis, np.float32) for axis in axes)
        shape = len(z), len(y), len(x)
        body_x, body_y, body_z = (
            (row[2] * z)[:, None, None] + (row[1] * y)[:, None] + row[0] * x + spline_field(controls, shape)
            for row, controls in zip(to_body.astype(np.float32), self.deformation, strict=True)
        )
        return body_x, body_y, body_z


def paint_anatomy(physique: Physique, rng: np.random.Generator, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Paint a body on a scan's grid.

    Args:
        physique: physique of the patient.
        rng: random generator of the organs' variation from the reference body.
        axes: voxel centres of the scan's grid along z, y, x, mm towards the patient's head, back, left.

    Returns:
        Tissues (2Z, 2Y, 2X) on a grid twice as fine, and BTCV's labels (Z, Y, X) on the scan's grid, both uint8.
    """
    z, y, x = (_subsample(axis) for axis in axes)
    canvas = Canvas(physique.body_points((z, y, x)))
    vary = Variation(rng)
    torso.paint_wall(canvas, vary, physique.fatness)
    torso.paint_spine(canvas, vary)
    torso.paint_chest(canvas, vary)
    viscera.paint_stomach(canvas, vary)
    viscera.paint_liver(canvas, vary)
    viscera.paint_spleen(canvas, vary)
    for side in (-1, 1):
        viscera.paint_kidney(canvas, vary, side)
    viscera.paint_gallbladder(canvas, vary)
    viscera.paint_great_vessels(canvas, vary)
    viscera.paint_pancreas(canvas, vary)
    viscera.paint_adrenals(canvas, vary)
    paint_bowel(canvas, vary)
    return canvas.tissue, _majority(canvas.label)


def _subsample(axis: np.ndarray) -> np.ndarray:
    """Centres of the sub-voxels along one axis."""
    step = axis[1] - axis[0]
    offsets = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
    return (axis[:, None] + step * offsets).ravel()


def voxel_mean(values: np.ndarray) -> np.ndarray:
    """Mean over each voxel's sub-voxels: (2Z, 2Y, 2X) -> (Z, Y, X)."""
    for axis in range(3):
        parts = [values[(slice(None),) * axis + (slice(start, None, SUBSAMPLES),)] for start in range(SUBSAMPLES)]
        values = sum(parts) / np.float32(SUBSAMPLES)
    return values


def _majority(labels: np.ndarray) -> np.ndarray:
    """The label with the largest share of each voxel; background in case of a tie."""
    present = [value for value in np.unique(labels) if value]
    result = np.zeros([length // SUBSAMPLES for length in labels.shape], np.uint8)
    best = voxel_mean((labels == 0).astype(np.float32))
    for value in present:
        share = voxel_mean((labels == value).astype(np.float32))
        result[share > best] = value
        np.maximum(best, share, out=best)
    return result
