"""Suggestions: which unlabelled scans to annotate next, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mass_nnunet.data.intensities import is_ct
from mass_nnunet.data.pose import pose_to_compare
from mass_nnunet.runtime.workers import map_cases

from .certainty import Certainty
from .choice import Ground, Pick, choose
from .description import Description, describe
from .likeness import Likeness, compare
from .pool import Pool

Assess = Callable[[Pool, Sequence[Path]], Certainty]
"""How sure the model of a dataset is of a scan, given by its files."""


@dataclass(frozen=True)
class Suggestion:
    """A scan that is worth annotating.

    Attributes:
        rank: 1 for the first one to annotate.
        dataset: name of its dataset.
        modality: its modality.
        case: its identifier.
        patient: its patient.
        gain: see :func:`mass_nnunet.annotation.choice.choose`.
        stands_for: how many unlabelled scans are nearest to it, with itself.
        uncertainty: 0 to 1; None without a model.
        reason: why, in words.
    """

    rank: int
    dataset: str
    modality: str
    case: str
    patient: str
    gain: float
    stands_for: int
    uncertainty: float | None
    reason: str


@dataclass(frozen=True)
class Surveyed:
    """A pool with what is known of its scans, annotated ones first.

    Attributes:
        pool: the pool.
        cases: all its scans.
        descriptions: of each.
        likeness: of all with each other.
        certainty: of the unlabelled ones by their case; empty without a model.
    """

    pool: Pool
    cases: tuple[str, ...]
    descriptions: list[Description]
    likeness: Likeness
    certainty: dict[str, Certainty]

    @property
    def ground(self) -> Ground:
        """The scans as input of :func:`choose`."""
        unsure = [self.certainty[case].uncertainty if case in self.certainty else 1.0 for case in self.cases]
        annotated = np.arange(len(self.cases)) < len(self.pool.annotated)
        return Ground(self.likeness.distance, annotated, np.array(unsure))


def survey(pool: Pool, processes: int, assess: Assess | None = None) -> Surveyed:
    """Look at all scans of a pool, one after another; no label is read.

    Args:
        pool: the pool.
        processes: worker processes that read scans.
        assess: the model's certainty; None without a model.

    Raises:
        UserError: a scan cannot be read, or does not fit the model.
    """
    cases, name = (*pool.annotated, *pool.unlabelled), pool.dataset.name
    files, ct = [pool.files(case) for case in cases], is_ct(pool.modality)
    look = partial(describe, is_ct=ct, pose=pose_to_compare(f[0] for f in files))
    descriptions = map_cases(look, [f[0] for f in files], processes=processes, description=f"Looking at {name}")
    certainty = {}
    if assess is not None:
        for case in tqdm(pool.unlabelled, desc=f"Predicting {name}", unit="case"):
            certainty[case] = assess(pool, pool.files(case))
    return Surveyed(pool, cases, descriptions, compare(descriptions, is_ct=ct), certainty)


def suggest(surveyed: Sequence[Surveyed], count: int) -> list[Suggestion]:
    """The scans to annotate next, of all modalities together, the best first.

    Args:
        surveyed: of each dataset; those without unlabelled scans may be among them.
        count: how many; fewer where there are fewer unlabelled scans.
    """
    picks = choose([one.ground for one in surveyed], count)
    return [_suggestion(rank, surveyed[pick.ground], pick) for rank, pick in enumerate(picks, 1)]


def _suggestion(rank: int, one: Surveyed, pick: Pick) -> Suggestion:
    case, dataset = one.cases[pick.scan], one.pool.dataset
    certainty = one.certainty.get(case)
    return Suggestion(
        rank=rank,
        dataset=dataset.name,
        modality=one.pool.modality,
        case=case,
        patient=dataset.patients()[case],
        gain=pick.gain,
        stands_for=pick.stands_for,
        uncertainty=None if certainty is None else certainty.uncertainty,
        reason=_reason(one, pick, certainty),
    )


def _reason(one: Surveyed, pick: Pick, certainty: Certainty | None) -> str:
    """Why a scan was picked, in one to three sentences."""
    modality, count = one.pool.modality, len(one.pool.unlabelled)
    if pick.nearest is None:
        said = [f"No {modality} is annotated, and this is the most typical one of {count}."]
    else:
        others = pick.stands_for - 1
        scans = f"{modality} scan is" if others == 1 else f"{modality} scans are"
        said = [f"{others} more unlabelled {scans} like it."] if others else []
        case, aspect = one.cases[pick.nearest], one.likeness.main_aspect(pick.scan, pick.nearest)
        known = "annotated scan" if pick.nearest < len(one.pool.annotated) else "scan of this list"
        details = _details(aspect, one.descriptions[pick.scan], one.descriptions[pick.nearest], is_ct(modality))
        said.append(f"It differs from {case}, the {known} nearest to it, most in {aspect}{details}.")
    if certainty is not None:
        parts = []
        if certainty.missing:
            parts.append(f"does not find {_listed(certainty.missing)}")
        if certainty.least is not None:
            dice = certainty.dice[certainty.least]
            parts.append(f"is least sure of {_listed([certainty.least])} (it expects a Dice of {dice:.2f})")
        said.append(f"The model {' and '.join(parts)}.")
    return " ".join(said)


def _details(aspect: str, this: Description, other: Description, ct: bool) -> str:
    """The two values of an aspect in brackets; nothing where there are no plain numbers."""
    if aspect == "field of view":
        text = f"{this.extent[0]:.0f} instead of {other.extent[0]:.0f} mm along the body"
    elif aspect == "resolution":
        edges = [" x ".join(f"{edge:.2g}" for edge in scan.spacing[::-1]) for scan in (this, other)]
        text = f"voxels of {edges[0]} instead of {edges[1]} mm"
    elif aspect == "size of the body":
        sizes = [f"{scan.body[1]:.0f} x {scan.body[0]:.0f}" for scan in (this, other)]
        text = f"{sizes[0]} instead of {sizes[1]} mm"
    elif aspect == "intensities" and ct:
        ranges = [f"{scan.tissue[0]:.0f} to {scan.tissue[-1]:.0f}" for scan in (this, other)]
        text = f"soft tissue of {ranges[0]} instead of {ranges[1]} HU"
    else:
        return ""
    return f" ({text})"


def _listed(organs: Sequence[str]) -> str:
    return " and ".join(organ.replace("_", " ") for organ in organs)
