"""From features to an estimated Dice with an interval, calibrated on scans with known labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .conformal import balanced, distrust, half_width

RIDGE = 0.003
"""Penalty on the squared weights of the features, where the weights of all samples sum to one."""
LEAST_SPREAD = 0.05
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
    """How much Dice varies around an estimate, up to a factor: most in the middle of its range."""
    return (LEAST_SPREAD + estimated * (1 - estimated)) * distrust(likeness)


def fit(
    features: np.ndarray,
    dice: np.ndarray,
    patients: Sequence[str],
    likeness: Sequence[float],
    real: Sequence[bool] = (),
) -> Estimator:
    """Calibrate an estimator; the interval is that of :func:`mass_nnunet.quality.conformal.half_width`.

    Args:
        features: (N, F).
        dice: true Dice (N,).
        patients: patient of each sample. All patients count alike.
        likeness: likeness of the scan of each sample to the others (N,).
        real: whether a sample is of a real prediction, not of a synthetic error; default none
            (:func:`mass_nnunet.quality.conformal.balanced`).

    Raises:
        ValueError: there are samples of fewer than two patients.
    """
    like, balance = np.array(likeness), balanced(patients, real or [False] * len(dice))

    def residuals(left: np.ndarray) -> np.ndarray:
        estimated = _regression(features[~left], dice[~left], balance[~left]).estimate(features[left])
        return np.abs(estimated - dice[left]) / spread(estimated, like[left])

    width, count = half_width(patients, balance, residuals)
    whole = _regression(features, dice, balance)
    return Estimator(whole.centre, whole.scale, whole.weights, width, count)


def _regression(features: np.ndarray, dice: np.ndarray, balance: np.ndarray) -> Estimator:
    """Weighted logistic regression with a ridge penalty, by Newton's method."""
    share = balance / balance.sum()
    centre = share @ features
    scale = np.sqrt(share @ (features - centre) ** 2) + 1e-3
    inputs = np.hstack([np.clip((features - centre) / scale, -4, 4), np.ones((len(features), 1))])
    penalty = np.full(inputs.shape[1], RIDGE)
    penalty[-1] = 0
    weights = np.zeros(inputs.shape[1])
    for _ in range(ITERATIONS):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (share * (p - dice)) + penalty * weights
        curvature = (inputs.T * (share * p * (1 - p))) @ inputs + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step / max(1.0, float(np.abs(step).max()))
    return Estimator(centre, scale, weights, 0.0, 0)
