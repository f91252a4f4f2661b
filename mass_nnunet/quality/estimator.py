"""From features to an estimated Dice with an interval, calibrated on scans with known labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RIDGE = 3.0
"""Penalty on the squared weights of standardized features, for each patient's worth of samples."""
LEVEL = 0.9
"""Share of the cases whose Dice the interval is to hold."""
LEAST_SPREAD = 0.05
USUAL_LIKENESS, LIKENESS_SCALE = 0.6, 0.1
"""At this likeness the spread has no further factor; with each step of the scale below, it is e times as large. The
scale is that of four annotated CTs of BTCV, one of them with a spleen of three litres."""
ITERATIONS = 30


@dataclass(frozen=True)
class Estimator:
    """A logistic regression of Dice, and a conformal interval around it.

    Attributes:
        centre: mean of each feature (F,).
        scale: standard deviation of each feature (F,).
        weights: (F + 1,), the constant last.
        width: half the width of the interval, in units of :func:`spread`.
        patients: number of patients with known labels.
    """

    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    width: float
    patients: int

    def estimate(self, features: np.ndarray) -> np.ndarray:
        """Estimated Dice (N,) for features (N, F)."""
        inner = np.clip((features - self.centre) / self.scale, -4, 4) @ self.weights[:-1] + self.weights[-1]
        return 1 / (1 + np.exp(-inner))

    def interval(self, estimated: np.ndarray, likeness: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (N,) of the interval around estimates (N,) in cases of a likeness to annotated scans."""
        half = self.width * spread(estimated, likeness)
        return np.clip(estimated - half, 0, 1), np.clip(estimated + half, 0, 1)


def spread(estimated: np.ndarray, likeness: np.ndarray | float) -> np.ndarray:
    """How much Dice varies around an estimate, up to a factor.

    It varies most in the middle of its range, and in cases that no annotated scan is like: registration fails there.
    """
    return (LEAST_SPREAD + estimated * (1 - estimated)) * np.exp((USUAL_LIKENESS - likeness) / LIKENESS_SCALE)


def fit(
    features: np.ndarray,
    dice: np.ndarray,
    patients: Sequence[str],
    likeness: Sequence[float],
    real: Sequence[bool] = (),
) -> Estimator:
    """Calibrate an estimator.

    The interval is conformal over scans (Vovk et al., Algorithmic Learning in a Random World, 2005), because samples of
    one scan are no independent samples: each scan is left out, estimated by the others, and gives one number, the
    quantile :data:`LEVEL` of its normalized residuals. The half width is the quantile of these numbers with the
    correction for a finite sample; with fewer than nine scans it is the largest one.

    Args:
        features: (N, F).
        dice: true Dice (N,).
        patients: patient of each sample. All patients count alike.
        likeness: likeness of the scan of each sample to the others (N,).
        real: whether a sample is of a real prediction, not of a synthetic error; default none. Where a patient has
            real ones, they count as much as all its synthetic ones.

    Raises:
        ValueError: there are samples of fewer than two patients.
    """
    like = np.array(likeness)
    names, genuine = np.array(patients), np.array(real or [False] * len(dice))
    distinct = sorted(set(patients))
    if len(distinct) < 2:
        raise ValueError("samples of two patients are needed: one to calibrate on, one to see how far that is off")
    balance = _balance(names, genuine)
    numbers = []
    for name in distinct:
        left = names == name
        estimated = _regression(features[~left], dice[~left], balance[~left]).estimate(features[left])
        numbers.append(_quantile(np.abs(estimated - dice[left]) / spread(estimated, like[left]), balance[left]))
    rank = min(len(numbers), math.ceil(LEVEL * (len(numbers) + 1)))
    whole = _regression(features, dice, balance)
    return Estimator(whole.centre, whole.scale, whole.weights, sorted(numbers)[rank - 1], len(distinct))


def _balance(names: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Weight of each sample: those of a patient sum to one."""
    weights = np.zeros(len(names))
    for name in np.unique(names):
        kinds = [kind for kind in ((names == name) & real, (names == name) & ~real) if kind.any()]
        for kind in kinds:
            weights[kind] = 1 / len(kinds) / kind.sum()
    return weights


def _quantile(values: np.ndarray, weights: np.ndarray) -> float:
    """Smallest value (N,) up to which weights (N,) sum to :data:`LEVEL` of all."""
    order = values.argsort()
    share = weights[order].cumsum() / weights.sum()
    return float(values[order][min(int(np.searchsorted(share, LEVEL)), len(values) - 1)])


def _regression(features: np.ndarray, dice: np.ndarray, balance: np.ndarray) -> Estimator:
    """Weighted logistic regression with a ridge penalty, by Newton's method."""
    share = balance / balance.sum()
    centre = share @ features
    scale = np.sqrt(share @ (features - centre) ** 2) + 1e-3
    inputs = np.hstack([np.clip((features - centre) / scale, -4, 4), np.ones((len(features), 1))])
    penalty = np.full(inputs.shape[1], RIDGE / 1000)
    penalty[-1] = 0
    weights = np.zeros(inputs.shape[1])
    for _ in range(ITERATIONS):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (share * (p - dice)) + penalty * weights
        curvature = (inputs.T * (share * p * (1 - p))) @ inputs + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step / max(1.0, float(np.abs(step).max()))
    return Estimator(centre, scale, weights, 0.0, 0)
