"""How wide an interval must be to hold in new patients."""

import math
from collections.abc import Callable, Sequence

import numpy as np

LEVEL = 0.9
"""Share of the patients in whom the interval is to hold, and share of a patient's values that it is to hold there: at
least 0.81 of all."""
USUAL_LIKENESS, LIKENESS_SCALE = 0.6, 0.1
"""At this likeness :func:`distrust` is 1; with each step of the scale below, it is e times as large. The scale is that
of four annotated CTs of BTCV, one of them with a spleen of three litres."""


def distrust(likeness: np.ndarray | float) -> np.ndarray:
    """Factor of the interval in a case of a likeness to annotated scans: registration fails where none is like it."""
    return np.exp((USUAL_LIKENESS - np.asarray(likeness)) / LIKENESS_SCALE)


def half_width(
    patients: Sequence[str], balance: np.ndarray, residuals: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, int]:
    """Half the width of the interval, in units of the residuals, and the number of patients.

    The interval is conformal over patients (Vovk et al., Algorithmic Learning in a Random World, 2005), because samples
    of one patient are no independent samples: each patient is left out, estimated by the others, and gives one number,
    the quantile :data:`LEVEL` of the residuals. The half width is the quantile of these numbers with the correction for
    a finite sample; up to 18 patients it is the largest one, and with fewer than nine even that is not enough for the
    level.

    Args:
        patients: patient of each sample.
        balance: weight of each sample (N,).
        residuals: of the samples that are left out, from a boolean mask (N,) of them: absolute residuals.

    Raises:
        ValueError: there are samples of fewer than two patients.
    """
    names, distinct = np.array(patients), sorted(set(patients))
    if len(distinct) < 2:
        raise ValueError("samples of two patients are needed: one to calibrate on, one to see how far that is off")
    numbers = sorted(_quantile(residuals(names == name), balance[names == name]) for name in distinct)
    rank = min(len(numbers), math.ceil(LEVEL * (len(numbers) + 1)))
    return numbers[rank - 1], len(distinct)


def balanced(patients: Sequence[str], real: Sequence[bool]) -> np.ndarray:
    """Weight of each sample (N,): those of a patient sum to one.

    Args:
        patients: patient of each sample.
        real: whether a sample is of a real prediction, not of a synthetic error. Where a patient has real ones, they
            count as much as all its synthetic ones.
    """
    names, genuine = np.array(patients), np.array(real)
    weights = np.zeros(len(names))
    for name in np.unique(names):
        kinds = [kind for kind in ((names == name) & genuine, (names == name) & ~genuine) if kind.any()]
        for kind in kinds:
            weights[kind] = 1 / len(kinds) / kind.sum()
    return weights


def _quantile(values: np.ndarray, weights: np.ndarray) -> float:
    """Smallest value (N,) up to which weights (N,) sum to :data:`LEVEL` of all."""
    order = values.argsort()
    share = weights[order].cumsum() / weights.sum()
    return float(values[order][min(int(np.searchsorted(share, LEVEL)), len(values) - 1)])
