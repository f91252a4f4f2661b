"""Calibration of quality on the annotated scans: corrupted annotations, and predictions of validation cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .corruption import corrupted
from .estimator import Estimator, fit
from .evidence import Evidence, Reference, gather, without_patient
from .features import FEATURES, dice, features
from .marks import Usual, usual


@dataclass(frozen=True)
class Calibration:
    """What a case is judged by.

    Attributes:
        estimator: from features to Dice.
        usual: what is usual in the annotated scans.
    """

    estimator: Estimator
    usual: Usual

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        e = self.estimator
        numbers = {"centre": e.centre.tolist(), "scale": e.scale.tolist(), "weights": e.weights.tolist()}
        return {"estimator": numbers | {"width": e.width, "patients": e.patients}, "usual": self.usual.as_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Calibration":
        """From :meth:`as_json`."""
        e = content["estimator"]
        centre, scale, weights = (np.array(e[name]) for name in ("centre", "scale", "weights"))
        return cls(Estimator(centre, scale, weights, e["width"], e["patients"]), Usual.from_json(content["usual"]))


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
    seen: dict[str, Evidence] = {}
    samples = Samples()
    for number, name in enumerate(progress(list(references))):
        reference = references[name]
        seen[name] = gather(reference.scan, without_patient(references, reference.patient))
        samples.add(reference, seen[name], predicted.get(name, ()), number)
    return Calibration(samples.fit(), usual(references, seen))


class Samples:
    """Features and true Dice of segmentations of annotated scans.

    Args:
        names: the features.
    """

    def __init__(self, names: tuple[str, ...] = FEATURES) -> None:
        self.names = names
        self.features: list[np.ndarray] = []
        self.dice: list[float] = []
        self.patients: list[str] = []
        self.likeness: list[float] = []
        self.real: list[bool] = []

    def add(self, reference: Reference, evidence: Evidence, predicted: Sequence[np.ndarray], seed: int) -> None:
        """Add synthetic errors of an annotated scan, and real predictions of it (K, Z, Y, X)."""
        for shares in corrupted(reference.shares, reference.scan.image, seed):
            self.add_one(reference, evidence, shares, is_real=False)
        for shares in predicted:
            self.add_one(reference, evidence, shares, is_real=True)

    def add_one(self, reference: Reference, evidence: Evidence, shares: np.ndarray, *, is_real: bool) -> None:
        """Add one segmentation (K, Z, Y, X) of an annotated scan."""
        organs = range(1, len(shares))
        self.features += list(features(shares, evidence, self.names))
        self.dice += [dice(shares[k], reference.shares[k]) for k in organs]
        self.patients += [reference.patient for _ in organs]
        self.likeness += [evidence.likeness for _ in organs]
        self.real += [is_real for _ in organs]

    def fit(self) -> Estimator:
        """An estimator from these features."""
        return fit(np.array(self.features), np.array(self.dice), self.patients, self.likeness, self.real)
