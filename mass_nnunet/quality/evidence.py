"""What can be said about a case before any prediction is looked at, from the annotated scans of its modality."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mass_nnunet.errors import UserError
from mass_nnunet.registration.alignment import alignments

from .alignment import Laid, lay
from .grid import Coarse
from .opinion import posterior, prior

MOST = 4
"""Annotated scans that are registered to a case: each takes seconds."""


@dataclass(frozen=True)
class Reference:
    """An annotated scan.

    Attributes:
        scan: the scan.
        shares: share of each label (K, Z, Y, X), the background first.
        patient: whose scan it is.
        kept: its slices among those of the file, whose size ``scan.size`` is; what is beyond them is not annotated.
    """

    scan: Coarse
    shares: np.ndarray
    patient: str
    kept: slice = field(default_factory=lambda: slice(None))

    @property
    def is_cut(self) -> bool:
        """Whether slices of the file are left out."""
        return self.kept != slice(None)

    @property
    def volumes(self) -> np.ndarray:
        """Volume of each label but the background (K - 1,), in ml."""
        return self.shares[1:].sum((1, 2, 3)) * self.scan.voxel_ml


def without_patient(references: Mapping[str, Reference], patient: str) -> dict[str, Reference]:
    """The annotated scans of other patients."""
    return {name: reference for name, reference in references.items() if reference.patient != patient}


def judges(case: str, scan: Coarse, references: Mapping[str, Reference]) -> dict[str, Reference]:
    """The annotated scans that may judge a case: no scan judges itself, and none its own patient.

    A case is an annotated scan if it has its name, or its image under another name.

    Raises:
        UserError: none is left.
    """
    found = dict(references)
    for name, own in references.items():
        is_same = own.scan.size == scan.size and np.array_equal(own.scan.image, scan.image[own.kept])
        if name == case or is_same:
            found = without_patient(found, own.patient)
    if not found:
        raise UserError(f"{case} is annotated itself, and no annotated scan of another patient is left to judge it by")
    return found


@dataclass(frozen=True)
class Evidence:
    """What the annotated scans say about a case.

    Attributes:
        case: the case.
        laid: the annotated scans, registered to it, by name.
        before: class probabilities (K, Z, Y, X) by place, :func:`opinion.prior`.
        after: by place and intensity, :func:`opinion.posterior`.
    """

    case: Coarse
    laid: Mapping[str, Laid]
    before: np.ndarray
    after: np.ndarray

    @property
    def opinion(self) -> np.ndarray:
        """The most probable label of each voxel (Z, Y, X)."""
        return self.after.argmax(0).astype(np.uint8)

    @cached_property
    def judged(self) -> np.ndarray:
        """Where an annotation counts, boolean (Z, Y, X)."""
        return np.any([scan.judged for scan in self.laid.values()], axis=0)

    def seen(self, shares: np.ndarray) -> np.ndarray:
        """Share of each label (K, Z, Y, X), the background first, with organs only where an annotation counts."""
        if self.judged.all():
            return shares
        organs = shares[1:] * self.judged
        return np.concatenate([1 - organs.sum(0, keepdims=True), organs])

    @property
    def likeness(self) -> float:
        """Similarity of the most similar annotated scan, 0 to 1."""
        return max(scan.likeness for scan in self.laid.values())


def gather(case: Coarse, references: Mapping[str, Reference]) -> Evidence:
    """Register the annotated scans to a case that correlate best with it, at most :data:`MOST`.

    Args:
        case: the case.
        references: annotated scans of its modality, by name; at least one.
    """
    chosen = dict(references)
    if len(references) > MOST:
        fixed = case.coarsest()
        alike = {name: alignments(r.scan.coarsest(), fixed)[0].correlation for name, r in references.items()}
        chosen = {name: references[name] for name in sorted(alike, key=lambda name: -alike[name])[:MOST]}
    laid = {
        name: lay(reference.scan, reference.shares, case, is_cut=reference.is_cut) for name, reference in chosen.items()
    }
    before = prior(list(laid.values()))
    return Evidence(case, laid, before, posterior(case, before))
