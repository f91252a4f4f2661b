"""The scans whose annotation helps most of the others: greedy facility location, weighted by uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FAR = 1.5
"""Distance to the nearest annotated scan where there is none, in multiples of the largest distance of two scans."""


@dataclass(frozen=True)
class Ground:
    """The scans of one modality that can be chosen from.

    Attributes:
        distance: (N, N), of N scans.
        annotated: (N,), boolean.
        uncertainty: (N,), 0 to 1: how much an unlabelled scan is in need of one that is annotated and like it; not used
            where ``annotated``.
    """

    distance: np.ndarray
    annotated: np.ndarray
    uncertainty: np.ndarray


@dataclass(frozen=True)
class Pick:
    """A chosen scan.

    Attributes:
        ground: number of its modality.
        scan: its number in that modality.
        gain: how much nearer the unlabelled scans are to an annotated one, in the mean, weighted by uncertainty.
        nearest: number of the nearest scan that was annotated or picked before; None if there was none.
        stands_for: how many unlabelled scans are nearest to it of all that are annotated or picked, with itself.
    """

    ground: int
    scan: int
    gain: float
    nearest: int | None
    stands_for: int


def choose(grounds: Sequence[Ground], count: int) -> list[Pick]:
    """Pick unlabelled scans one after another, each the one with the largest gain.

    The gain of a scan c is the mean, over the unlabelled scans u of its modality, of
    ``uncertainty(u) * max(0, d(u) - distance(u, c))``, where d(u) is the distance from u to the nearest scan that is
    annotated or picked; a modality in which nothing is annotated comes first. So a scan is picked that many uncertain
    scans are like, which are unlike the annotated ones; and no second one like it. The sum of the gains is submodular,
    and greedy picks reach at least 63 % of the largest possible sum (Nemhauser et al., Mathematical Programming 1978;
    Wei et al., ICML 2015, for active learning). Typical scans come before outliers, which is what few annotations want
    (Hacohen et al., ICML 2022).

    Args:
        grounds: one for each modality; each counts the same, however many scans it has.
        count: number of picks; fewer where there are fewer unlabelled scans.
    """
    taken = [ground.annotated.copy() for ground in grounds]
    picked: list[tuple[int, int, float, int | None]] = []
    for _ in range(min(count, sum(int((~ground.annotated).sum()) for ground in grounds))):
        gains = [_gains(ground, its_taken) for ground, its_taken in zip(grounds, taken, strict=True)]
        number = max(range(len(grounds)), key=lambda g: _urgency(taken[g], gains[g]))
        scan = int(gains[number].argmax())
        before = np.flatnonzero(taken[number])
        nearest = int(before[grounds[number].distance[scan, before].argmin()]) if before.size else None
        picked.append((number, scan, float(gains[number][scan]), nearest))
        taken[number][scan] = True
    return [Pick(*pick, _stands_for(grounds[pick[0]], taken[pick[0]], pick[1])) for pick in picked]


def _urgency(taken: np.ndarray, gains: np.ndarray) -> tuple[bool, float]:
    """A modality in which nothing is annotated comes first, then the one with the largest gain."""
    best = float(gains.max(initial=-1.0))
    return best >= 0 and not taken.any(), best


def _gains(ground: Ground, taken: np.ndarray) -> np.ndarray:
    """The gain (N,) of each scan; -1 for one that cannot be picked."""
    unlabelled = ~ground.annotated
    if not unlabelled.any():
        return np.full(len(taken), -1.0)
    away = _away(ground, taken)
    nearer = np.maximum(0, away[unlabelled, None] - ground.distance[unlabelled])  # (U, N)
    gains = (ground.uncertainty[unlabelled, None] * nearer).mean(0)
    return np.where(taken, -1.0, gains)


def _away(ground: Ground, taken: np.ndarray) -> np.ndarray:
    """Distance (N,) of each scan to the nearest one that is taken."""
    if not taken.any():
        return np.full(len(taken), FAR * max(float(ground.distance.max()), 1.0))
    return ground.distance[:, taken].min(1)


def _stands_for(ground: Ground, taken: np.ndarray, scan: int) -> int:
    among = np.flatnonzero(taken)
    nearest = among[ground.distance[:, among].argmin(1)]
    nearest[among] = among  # equal scans may both be taken
    return int(((nearest == scan) & ~ground.annotated).sum())
