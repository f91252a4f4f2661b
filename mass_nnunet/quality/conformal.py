"""How wide an interval must be to hold in new patients."""

from collections.abc import Callable, Sequence

import numpy as np

LEVEL = 0.9
"""Share of all values that the interval is to hold; each patient counts the same."""
ENOUGH = 9
"""Patients from which on a quantile of their errors can hold :data:`LEVEL`; of fewer the largest error counts."""
USUAL_LIKENESS, LIKENESS_SCALE = 0.6, 0.3
"""At this likeness :func:`distrust` is 1; with each step of the scale below, it is e times as large. The scale was
chosen by the width of intervals and by what they hold on annotated CTs and hearts (docs/experiments/quality.md)."""
ROUNDING = 1e-9
"""Error of a sum of weights."""


def distrust(likeness: np.ndarray | float) -> np.ndarray:
    """Factor of the interval in a case of a likeness to annotated scans: registration fails where none is like it."""
    return np.exp((USUAL_LIKENESS - np.asarray(likeness)) / LIKENESS_SCALE)


def half_width(
    patients: Sequence[str], balance: np.ndarray, residuals: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, int]:
    """Half the width of the interval, in units of the residuals, and the number of patients.

    The interval is cross-conformal over patients, because samples of one patient are no independent samples: each
    patient is left out once and estimated by the others (Vovk, Annals of Mathematics and Artificial Intelligence 2015),
    and the residuals of all are pooled, where each patient counts the same (Dunn et al., Journal of the American
    Statistical Association 2023). With n patients the half width is their quantile :data:`LEVEL` (n + 1) / n, or the
    largest of them. Without this correction, which conformal prediction asks for, intervals of real predictions held as
    little as 44 % with four annotated patients and 64 % with ten (docs/experiments/quality.md).

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
    left_out = [names == name for name in distinct]
    values = np.concatenate([residuals(left) for left in left_out])
    level = LEVEL * (len(distinct) + 1) / len(distinct)
    return _quantile(values, np.concatenate([balance[left] for left in left_out]), level), len(distinct)


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


def _quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """Smallest value (N,) up to which weights (N,) sum to a level of all; the largest if the level is above one."""
    order = values.argsort()
    share = weights[order].cumsum() / weights.sum()
    return float(values[order][min(int(np.searchsorted(share, level - ROUNDING)), len(values) - 1)])
