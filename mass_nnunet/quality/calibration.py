"""Calibration of quality on the annotated scans: corrupted annotations, and predictions of validation cases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .corruption import corrupted
from .estimator import Estimator, fit
from .evidence import Evidence, Reference, gather
from .features import dice, features
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
        return {"estimator": numbers | {"width": e.width, "scans": e.scans}, "usual": self.usual.as_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Calibration":
        """From :meth:`as_json`."""
        e = content["estimator"]
        arrays = (np.array(e[name]) for name in ("centre", "scale", "weights"))
        return cls(Estimator(*arrays, e["width"], e["scans"]), Usual.from_json(content["usual"]))


def calibrate(
    references: Mapping[str, Reference], predicted: Mapping[str, Sequence[np.ndarray]], progress: Any = iter
) -> Calibration:
    """Calibrate on annotated scans, each seen by the others.

    Args:
        references: annotated scans of one modality, by name; at least two.
        predicted: real predictions of some of them, share of each label (K, Z, Y, X); of scans that the model was not
            trained on.
        progress: wraps the names of the scans, to show how far it is.
    """
    seen: dict[str, Evidence] = {}
    rows: list[np.ndarray] = []
    truths: list[float] = []
    scans: list[str] = []
    for number, name in enumerate(progress(list(references))):
        reference = references[name]
        seen[name] = gather(reference.scan, {other: r for other, r in references.items() if other != name})
        for shares in _samples(reference, predicted.get(name, ()), number):
            rows.extend(features(shares, seen[name]))
            truths += [dice(shares[k], reference.shares[k]) for k in range(1, len(shares))]
            scans += [name] * (len(shares) - 1)
    return Calibration(fit(np.array(rows), np.array(truths), scans), usual(references, seen))


def _samples(reference: Reference, predicted: Sequence[np.ndarray], seed: int) -> Iterator[np.ndarray]:
    yield from corrupted(reference.shares, reference.scan.image, seed)
    yield from predicted
