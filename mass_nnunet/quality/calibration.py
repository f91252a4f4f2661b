"""Calibration of quality on the annotated scans: corrupted annotations, and predictions of validation cases."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from .corruption import corrupted
from .distance_estimator import DistanceEstimator, fit_distances
from .distances import KnownSurfaces, surfaces_of
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
        content = {"estimator": _plain(asdict(self.estimator)), "usual": self.usual.as_json()}
        return content | ({"distance": _plain(asdict(self.distance))} if self.distance else {})

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


class Sample(NamedTuple):
    """A segmented organ with known labels: its features (F,), and what they are to tell."""

    features: np.ndarray
    true: float
    patient: str
    likeness: float
    is_real: bool


def columns(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray, Sequence[str], Sequence[float], Sequence[bool]]:
    """Arguments of a fit."""
    inputs, true, patients, likeness, real = zip(*samples, strict=True)
    return np.array(inputs), np.array(true), patients, likeness, real


class Samples:
    """Features of segmentations of annotated scans, with their true Dice and HD95.

    Args:
        measure: the features of the estimate of Dice (K - 1, F), of a segmentation and the evidence.
    """

    def __init__(self, measure: Callable[[np.ndarray, Evidence], np.ndarray] = features) -> None:
        self.measure = measure
        self.overlap: list[Sample] = []
        self.distance: list[Sample] = []

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
        known, truth = KnownSurfaces(evidence), surfaces_of(reference.shares, edges)
        for shares in segmented:
            surfaces, seen = surfaces_of(shares, edges), evidence.seen(shares)
            visible = surfaces if seen is shares else surfaces_of(seen, edges)
            numbers, distances = self.measure(shares, evidence), known.features(visible)
            for k, (organ, true) in enumerate(zip(shares[1:], reference.shares[1:], strict=True)):
                self.overlap.append(Sample(numbers[k], dice(organ, true), *origin))
                hd95 = truth[k].hd95(surfaces[k])
                if hd95 is not None:
                    self.distance.append(Sample(distances[k], hd95, *origin))

    def fit(self) -> Estimator:
        """An estimator of Dice."""
        return fit(*columns(self.overlap))

    def fit_distances(self) -> DistanceEstimator | None:
        """An estimator of HD95; None where organs of fewer than two patients fill a voxel of the coarse grid."""
        patients = {one.patient for one in self.distance}
        return fit_distances(*columns(self.distance)) if len(patients) > 1 else None
