"""From distances to where the annotated scans have an organ, to an estimated HD95 with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .conformal import balanced, distrust, half_width
from .distances import FARTHEST, OFFSET, as_log
from .estimator import RIDGE


@dataclass(frozen=True)
class DistanceEstimator:
    """A linear regression of the logarithm of HD95, and a conformal interval around it: HD95 varies by a factor.

    Attributes:
        weights: (F + 1,), the constant last.
        width: half the width of the interval of the logarithm, in units of
            :func:`mass_nnunet.quality.conformal.distrust`.
    """

    weights: np.ndarray
    width: float

    def estimate(self, features: np.ndarray) -> np.ndarray:
        """Estimated HD95 (N,) in mm for features (N, F) of :meth:`mass_nnunet.quality.distances.KnownSurfaces`."""
        return _in_mm(self._logarithm(features))

    def interval(self, features: np.ndarray, likeness: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (N,) in mm, in a case of a likeness to annotated scans."""
        half, middle = self.width * distrust(likeness), self._logarithm(features)
        return _in_mm(middle - half), _in_mm(middle + half)

    def _logarithm(self, features: np.ndarray) -> np.ndarray:
        return features @ self.weights[:-1] + self.weights[-1]


def _in_mm(logarithm: np.ndarray) -> np.ndarray:
    return np.maximum(np.exp(np.clip(logarithm, as_log(0), as_log(FARTHEST))) - OFFSET, 0.0)  # no -0.0 by rounding


def fit_distances(
    features: np.ndarray, hd95: np.ndarray, patients: Sequence[str], likeness: Sequence[float], real: Sequence[bool]
) -> DistanceEstimator:
    """Calibrate an estimator; arguments and errors are those of :func:`mass_nnunet.quality.estimator.fit`.

    Args:
        features: (N, F).
        hd95: true HD95 (N,) in mm, at most :data:`mass_nnunet.quality.distances.FARTHEST`.
        patients: patient of each sample.
        likeness: likeness of the scan of each sample to the others (N,).
        real: whether a sample is of a real prediction.
    """
    true, like, balance = np.array([as_log(one) for one in hd95]), np.array(likeness), balanced(patients, real)

    def residuals(left: np.ndarray) -> np.ndarray:
        weights = _regression(features[~left], true[~left], balance[~left])
        return np.abs(features[left] @ weights[:-1] + weights[-1] - true[left]) / distrust(like[left])

    width, _ = half_width(patients, balance, residuals)
    return DistanceEstimator(_regression(features, true, balance), width)


def _regression(features: np.ndarray, true: np.ndarray, balance: np.ndarray) -> np.ndarray:
    """Weights (F + 1,) of a weighted linear regression with a ridge penalty."""
    share = balance / balance.sum()
    centre, mean = share @ features, float(share @ true)
    inputs = features - centre
    penalty = RIDGE * np.eye(features.shape[1])
    weights = np.linalg.solve((inputs.T * share) @ inputs + penalty, inputs.T @ (share * (true - mean)))
    return np.append(weights, mean - centre @ weights)
