"""A grid on which a body is painted: each grid point has a position in a reference body.

Body coordinates are millimetres of a reference adult, (x, y, z) towards the patient's left, back and head, zero in
front of the spine between the kidneys. A shape is a window of the grid and a level that is below 1 inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from .tissues import Tissue

Point = Sequence[float] | np.ndarray
"""Three numbers along x, y, z: a position, radii or angles."""
Window = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Shape:
    """A shape as a level set: ``level`` (Z, Y, X) on a ``window`` of the canvas, below 1 inside, growing outwards."""

    window: Window
    level: np.ndarray


def spline_field(coefficients: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Uniform cubic B-spline, evaluated on a grid of ``shape``.

    The tensor product is computed axis by axis, which is fast.

    Args:
        coefficients: (A, B, C), each at least 4.
        shape: size of the grid (Z, Y, X).
    """
    for axis, length in enumerate(shape):
        weights = _basis(coefficients.shape[axis], length)
        coefficients = np.moveaxis(np.tensordot(weights, coefficients, (1, axis)), 0, axis)
    return coefficients


def _basis(controls: int, length: int) -> np.ndarray:
    """Weights (length, controls) of uniform cubic B-splines whose knots span the whole axis."""
    position = np.linspace(0, controls - 3, length, dtype=np.float32)
    distance = np.abs(position[:, None] + 1 - np.arange(controls, dtype=np.float32))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance) ** 3 / 6
    return np.where(distance < 1, near, np.where(distance < 2, far, 0)).astype(np.float32)


class Canvas:
    """Tissues and labels (z, y, x) of a body that is being painted; later shapes cover earlier ones.

    Args:
        points: body coordinates x, y, z of every grid point, each (z, y, x).
    """

    def __init__(self, points: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        self.x, self.y, self.z = points
        self.tissue = np.full(self.x.shape, Tissue.AIR, np.uint8)
        self.label = np.zeros(self.x.shape, np.uint8)  # BTCV's 13 values
        self.cavity = np.ones(self.x.shape, bool)  # inside the muscular wall
        # Ranges of the body coordinate in each slice along each axis; the deformation bends the slices.
        self._ranges = [
            (values.min(axis=others), values.max(axis=others))
            for values, others in ((self.z, (1, 2)), (self.y, (0, 2)), (self.x, (0, 1)))
        ]

    def window(self, low: Point, high: Point) -> Window:
        """The smallest window with all grid points between the body points ``low`` and ``high``."""
        slices = []
        for (smallest, largest), start, stop in zip(self._ranges, low[::-1], high[::-1], strict=True):
            hits = np.flatnonzero((largest >= start) & (smallest <= stop))
            slices.append(slice(hits[0], hits[-1] + 1) if hits.size else slice(0, 0))
        along_z, along_y, along_x = slices
        return along_z, along_y, along_x

    def ellipsoid(self, centre: Point, radii: Point, turn: Point = (0, 0, 0), bend: float = 0) -> Shape:
        """An ellipsoid; its level is the relative radius.

        Args:
            centre: centre of the ellipsoid, mm.
            radii: radii along its own axes, mm.
            turn: angles about x, y, z, degrees.
            bend: shift of the ends of its z axis along its x axis, in x radii, as of the poles of a kidney.
        """
        rotation = Rotation.from_euler("xyz", turn, degrees=True).as_matrix().astype(np.float32)
        stretched = np.asarray(radii) * (1 + abs(bend), 1, 1)
        reach = np.sqrt(((rotation * stretched) ** 2).sum(axis=1)) * (1.35 if bend else 1.1)
        window = self.window(np.subtract(centre, reach), np.add(centre, reach))
        offsets = [values[window] - np.float32(c) for values, c in zip((self.x, self.y, self.z), centre, strict=True)]
        along = [
            sum(rotation[row, column] / np.float32(radii[column]) * offsets[row] for row in range(3))
            for column in range(3)
        ]
        if bend:
            along[0] = along[0] - np.float32(bend) * along[2] ** 2
        return Shape(window, np.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2))

    def tube(self, waypoints: ArrayLike | Sequence[Point], radii: ArrayLike) -> Shape:
        """A smooth tube through the waypoints, made of overlapping balls; its level is the relative radius.

        Args:
            waypoints: (N, 3), mm.
            radii: radius at each waypoint (N,), or one radius for all, mm.
        """
        path = np.asarray(waypoints, float)
        steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        radii_there = np.broadcast_to(radii, len(path))
        samples = np.linspace(0, steps[-1], 2 + int(steps[-1] / (0.45 * radii_there.min())))
        centres = CubicSpline(steps, path)(samples)
        widths = np.interp(samples, steps, radii_there)
        margin = widths[:, None] * 1.1
        window = self.window((centres - margin).min(axis=0), (centres + margin).max(axis=0))
        level = np.full(self.x[window].shape, np.inf, np.float32)
        for centre, width in zip(centres.astype(np.float32), widths.astype(np.float32), strict=True):
            ball = self.window(centre - width * 1.1, centre + width * 1.1)
            squares = sum((v[ball] - c) ** 2 for v, c in zip((self.x, self.y, self.z), centre, strict=True))
            inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(ball, window, strict=True))
            if squares.size:
                np.minimum(level[inner], np.sqrt(squares) / width, out=level[inner])
        return Shape(window, level)

    def paint(
        self,
        tissue: Tissue,
        shape: Shape,
        *,
        label: int = 0,
        below: float = 1,
        where: np.ndarray | None = None,
        over: Sequence[Tissue] | None = None,
    ) -> None:
        """Set tissue and label at the points of a shape that lie inside the muscular wall.

        Args:
            tissue: tissue to set.
            shape: shape to fill.
            label: label to set, BTCV's value; 0 for background.
            below: upper bound of the shape's level.
            where: further condition, a mask on the shape's window.
            over: tissues to replace; None for all.
        """
        inside = (shape.level < below) & self.cavity[shape.window]
        if where is not None:
            inside &= where
        if over is not None:
            inside &= np.isin(self.tissue[shape.window], over)
        self.tissue[shape.window][inside] = tissue
        self.label[shape.window][inside] = label
