"""Calibration of quality on the annotated scans: corrupted annotations, and predictions of validation cases."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .corruption import corrupted
from .distance_estimator import DistanceEstimator, fit_distances
from .distances import KnownSurfaces, Surface
from .estimator import Estimator, fit
from .evidence import Evidence, Reference, gather, without_patient
from .features import dice, features
from .marks import Usual, usual


@dataclass(frozen=True)
class Calibration:
    """What a case is judged by.

    Attributes:
        estimator: from features to Dice.
        distance: from distances to HD95; None where too few organs fill a voxel of the coarse grid.
        usual: what is usual in the annotated scans.
    """

    estimator: Estimator
    distance: DistanceEstimator | None
    usual: Usual

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        numbers = {name: _plain(asdict(one)) for name, one in self._estimators().items()}
        return numbers | {"usual": self.usual.as_json()}

    def _estimators(self) -> dict[str, Estimator | DistanceEstimator]:
        found: dict[str, Estimator | DistanceEstimator] = {"estimator": self.estimator}
        return found | ({"distance": self.distance} if self.distance else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Calibration":
        """From :meth:`as_json`."""
        distance = DistanceEstimator(**_arrays(content["distance"])) if "distance" in content else None
        return cls(Estimator(**_arrays(content["estimator"])), distance, Usual.from_json(content["usual"]))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.tolist() if isinstance(one, np.ndarray) else one for name, one in values.items()}


def _arrays(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(one) if isinstance(one, list) else one for name, one in values.items()}


def calibrate(
    references: Mapping[str, Reference], predicted: Mapping[str, Sequence[np.ndarray]], progress: Any = iter
) -> Calibration:
    """Calibrate on annotated scans, each seen by those of other patients.

    Args:
        references: annotated scans of one modality, by name; of at least two patients.
        predicted: real predictions of some of them, share of each label (K, Z, Y, X); of scans that the model was not
            trained on.
        progress: wraps the names of the scans, to show how far it is.
    """
    likeness: dict[str, float] = {}
    samples = Samples()
    for number, name in enumerate(progress(list(references))):
        reference = references[name]
        evidence = gather(reference.scan, without_patient(references, reference.patient))
        samples.add(reference, evidence, predicted.get(name, ()), number)
        likeness[name] = evidence.likeness  # the evidence itself is large, and there may be hundreds of scans
    return Calibration(samples.fit(), samples.fit_distances(), usual(references, likeness))


@dataclass
class Table:
    """Samples of segmentations with known labels."""

    features: list[np.ndarray] = field(default_factory=list)
    true: list[float] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    likeness: list[float] = field(default_factory=list)
    real: list[bool] = field(default_factory=list)

    def add(self, features: np.ndarray, true: float, patient: str, likeness: float, is_real: bool) -> None:
        """Add a sample."""
        self.features.append(features)
        self.true.append(true)
        self.patients.append(patient)
        self.likeness.append(likeness)
        self.real.append(is_real)

    def extend(self, other: "Table") -> None:
        """Add the samples of another table."""
        self.features += other.features
        self.true += other.true
        self.patients += other.patients
        self.likeness += other.likeness
        self.real += other.real

    def columns(self) -> tuple[np.ndarray, np.ndarray, list[str], list[float], list[bool]]:
        """Arguments of a fit."""
        return np.array(self.features), np.array(self.true), self.patients, self.likeness, self.real


class Samples:
    """Features of segmentations of annotated scans, with their true Dice and HD95.

    Args:
        measure: the features of the estimate of Dice (K - 1, F), of a segmentation and the evidence.
    """

    def __init__(self, measure: Callable[[np.ndarray, Evidence], np.ndarray] = features) -> None:
        self.measure = measure
        self.overlap, self.distance = Table(), Table()

    def add(self, reference: Reference, evidence: Evidence, predicted: Sequence[np.ndarray], seed: int) -> None:
        """Add synthetic errors of an annotated scan, and real predictions of it (K, Z, Y, X)."""
        synthetic = corrupted(reference.shares, reference.scan.image, seed)
        self._add(reference, evidence, synthetic, is_real=False)
        self.add_real(reference, evidence, predicted)

    def add_real(self, reference: Reference, evidence: Evidence, predicted: Sequence[np.ndarray]) -> None:
        """Add real predictions (K, Z, Y, X) of an annotated scan."""
        self._add(reference, evidence, predicted, is_real=True)

    def _add(self, reference: Reference, evidence: Evidence, segmented: Iterable[np.ndarray], *, is_real: bool) -> None:
        origin, edges = (reference.patient, evidence.likeness, is_real), evidence.case.edges
        known, truth = KnownSurfaces(evidence), [Surface(organ, edges) for organ in reference.shares[1:]]
        for shares in segmented:
            rows = zip(shares[1:], reference.shares[1:], truth, strict=True)
            numbers, distances = self.measure(shares, evidence), known.features(shares)
            for k, (organ, true, surface) in enumerate(rows):
                self.overlap.add(numbers[k], dice(organ, true), *origin)
                hd95 = surface.hd95(Surface(organ, edges))
                if hd95 is not None:
                    self.distance.add(distances[k], hd95, *origin)

    def fit(self) -> Estimator:
        """An estimator of Dice."""
        return fit(*self.overlap.columns())

    def fit_distances(self) -> DistanceEstimator | None:
        """An estimator of HD95; None where organs of fewer than two patients fill a voxel of the coarse grid."""
        return fit_distances(*self.distance.columns()) if len(set(self.distance.patients)) > 1 else None
