"""The registry of metrics: columns, titles, units, digits and directions are known here and nowhere else.

To add a metric, write its function of :class:`Masks` and add one :class:`Metric` to ``_METRICS``. It then has a column
in scores.csv, and its place in the table of ``mass_nnunet evaluate`` and in the report of a benchmark.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from .surface import Spacing, SurfaceDistances, surface_dice, surface_distances

TOLERANCES = (2.0,)
"""Default tolerances of the normalized surface Dice, in mm."""


@dataclass(frozen=True)
class Masks:
    """Predicted and true mask of one organ of a scan. Quantities that several metrics need are computed once.

    Attributes:
        prediction, truth: boolean (Z, Y, X); they may be cut out of their images (see surface.py).
        spacing: voxel size (z, y, x) in mm.
        tolerances: tolerances in mm of all surface Dice metrics.
    """

    prediction: np.ndarray
    truth: np.ndarray
    spacing: Spacing
    tolerances: Sequence[float] = TOLERANCES

    @cached_property
    def volumes(self) -> tuple[float, float]:
        """Predicted and true volume in ml."""
        voxel = float(np.prod(self.spacing)) / 1000
        return np.count_nonzero(self.prediction) * voxel, np.count_nonzero(self.truth) * voxel

    @cached_property
    def distances(self) -> SurfaceDistances:
        """Distances of the two surfaces in mm."""
        return surface_distances(self.prediction, self.truth, self.spacing)

    @cached_property
    def surface_dice(self) -> dict[float, float]:
        """Normalized surface Dice by tolerance."""
        values = surface_dice(self.prediction, self.truth, self.spacing, self.tolerances)
        return dict(zip(self.tolerances, values, strict=True))


@dataclass(frozen=True)
class Metric:
    """A metric of agreement of two masks. Where the truth has no such organ, every metric is NaN.

    Attributes:
        column: name of the column in scores.csv.
        name: name in tables and figures, without the unit.
        meaning: definition in a few words, for the reader of a report.
        measure: the function of two non-empty masks.
        missed: value if the truth has the organ and the prediction has not. Means leave infinite values out and count
            them; tests and rankings take them as worse than any other value.
        better: whether the larger or the smaller value is better; None for neither.
        unit: as printed; empty for ratios.
        digits: decimal places in tables.
    """

    column: str
    name: str
    meaning: str
    measure: Callable[[Masks], float]
    missed: float
    better: Literal["larger", "smaller"] | None
    unit: str = ""
    digits: int = 3

    @property
    def title(self) -> str:
        """Name and unit: ``HD95 (mm)``."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def is_larger_better(self) -> bool:
        """Whether the method with the larger value is the better one.

        Raises:
            ValueError: the metric does not tell which of two methods is better.
        """
        if self.better is None:
            raise ValueError(f"{self.column} does not tell which of two methods is better")
        return self.better == "larger"

    def text(self, value: float, sign: str = "") -> str:
        """A value as text; with ``sign="+"`` positive values have a sign."""
        return f"{value:{sign}.{self.digits}f}"


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Overlap of two boolean masks (Z, Y, X), 0 to 1; NaN when both are empty."""
    size = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return 2.0 * np.count_nonzero(prediction & truth) / size if size else float("nan")


def volume_difference(prediction_ml: float, truth_ml: float) -> float:
    """(prediction - truth) / truth, of two volumes in ml."""
    return prediction_ml / truth_ml - 1


def surface_dice_at(tolerance: float) -> Metric:
    """The normalized surface Dice at a tolerance in mm."""
    name = f"{tolerance:g}mm"
    meaning = f"normalized surface Dice, the share of both surfaces within {tolerance:g} mm of each other"
    return Metric(f"nsd_{name}", f"NSD {name}", meaning, lambda masks: masks.surface_dice[tolerance], 0.0, "larger")


def _distance(column: str, name: str, meaning: str, measure: Callable[[SurfaceDistances], float]) -> Metric:
    return Metric(column, name, meaning, lambda masks: measure(masks.distances), math.inf, "smaller", "mm", 1)


DICE = Metric(
    "dice",
    "Dice",
    "overlap of prediction and truth",
    lambda masks: dice(masks.prediction, masks.truth),
    0.0,
    "larger",
)
HD95 = _distance("hd95", "HD95", "larger of the two directed 95th percentiles of the distances", lambda d: d.hd95)
_METRICS: tuple[Metric | Callable[[float], Metric], ...] = (
    DICE,
    _distance("hd", "HD", "Hausdorff distance, the largest distance between the surfaces", lambda d: d.hd),
    HD95,
    _distance("assd", "ASSD", "average symmetric distance between the surfaces", lambda d: d.assd),
    surface_dice_at,
    Metric(
        "volume_difference",
        "volume difference",
        "predicted less true volume, divided by the true volume",
        lambda masks: volume_difference(*masks.volumes),
        -1.0,
        None,
    ),
)
"""All metrics in the order of their columns; a function is a family with one metric for each tolerance."""


def list_metrics(tolerances: Sequence[float] = TOLERANCES) -> list[Metric]:
    """All metrics in the order of their columns, with the surface Dice at each of ``tolerances`` in mm."""
    metrics: list[Metric] = []
    for entry in _METRICS:
        metrics += [entry] if isinstance(entry, Metric) else [entry(tolerance) for tolerance in tolerances]
    return metrics


def find_metric(column: str) -> Metric:
    """The metric of a column of the scores.

    Raises:
        ValueError: there is no such metric.
    """
    number = re.search(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)mm$", column)
    for metric in list_metrics([float(number[1])] if number else []):
        if metric.column == column:
            return metric
    raise ValueError(f"{column} is no metric of the scores")


def metrics_among(columns: Iterable[str]) -> list[Metric]:
    """The metrics among the columns of a table of scores, in their order; other columns are ignored."""
    found = []
    for column in columns:
        try:
            found.append(find_metric(column))
        except ValueError:
            continue
    return found
