"""The strategies that experiments/suggest.py compares.

``random``; ``suggest`` and ``coverage`` (`mass_nnunet suggest` with and without a model); ``entropy``, the
mean predictive entropy of a scan, and ``power``, the same with Gumbel noise on its logarithm, by which nnActive (Lueth
et al., 2025) gets diverse queries (Kirsch et al., TMLR 2023), both for whole scans instead of patches; ``k-centre``,
diversity alone (Sener and Savarese, ICLR 2018), by the distances of `mass_nnunet suggest`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mass_nnunet.annotation.certainty import Certainty, assess
from mass_nnunet.annotation.pool import Pool
from mass_nnunet.annotation.suggestion import suggest, survey
from mass_nnunet.api import Model
from mass_nnunet.data.raw import TRAINING
from mass_nnunet.data.volume import read_volume

Chosen = list[tuple[str, str]]
"""Dataset and case of each chosen scan."""
Models = Callable[[str], Model]
Strategy = Callable[[list[Pool], Models, int, np.random.Generator], Chosen]


def everything(pools: list[Pool]) -> Chosen:
    """All unlabelled scans."""
    return [(pool.dataset.name, case) for pool in pools for case in pool.unlabelled]


def hidden(pool: Pool) -> Pool:
    """The pool without scans of which nobody knows a label."""
    known = (case for case in pool.unlabelled if pool.dataset.label(TRAINING, case) is not None)
    return replace(pool, unlabelled=tuple(known))


def by_random(pools: list[Pool], models: Models, count: int, rng: np.random.Generator) -> Chosen:
    scans = everything(pools)
    return [scans[i] for i in rng.permutation(len(scans))[:count]]


def entropies(pools: list[Pool], models: Models) -> np.ndarray:
    """Mean predictive entropy of the head, of each unlabelled scan."""
    found = []
    for pool in pools:
        for case in pool.unlabelled:
            images = [read_volume(file) for file in pool.files(case)]
            unsure = models(pool.dataset.name).uncertainty(images, branches=["segmentation"])
            found.append(float(unsure.entropy.mean()))
    return np.array(found)


def by_entropy(pools: list[Pool], models: Models, count: int, rng: np.random.Generator) -> Chosen:
    scans = everything(pools)
    return [scans[i] for i in np.argsort(-entropies(pools, models), kind="stable")[:count]]


def by_power(pools: list[Pool], models: Models, count: int, rng: np.random.Generator) -> Chosen:
    scans = everything(pools)
    noisy = np.log(entropies(pools, models) + 1e-12) + rng.gumbel(size=len(scans))
    return [scans[i] for i in np.argsort(-noisy)[:count]]


def by_k_centre(pools: list[Pool], models: Models, count: int, rng: np.random.Generator) -> Chosen:
    """One scan after another, each the farthest from all that are annotated or chosen."""
    surveyed = [survey(pool, 1) for pool in pools]
    chosen: Chosen = []
    away = []
    for one in surveyed:
        near = one.likeness.distance[:, : len(one.pool.annotated)]
        away.append(near.min(1) if near.size else np.full(len(one.cases), np.inf))
    for _ in range(min(count, len(everything(pools)))):
        number = max(range(len(pools)), key=lambda p: away[p].max(initial=-1))
        scan = int(away[number].argmax())
        chosen.append((pools[number].dataset.name, surveyed[number].cases[scan]))
        away[number] = np.minimum(away[number], surveyed[number].likeness.distance[scan])
        away[number][scan] = -1
    return chosen


def by_coverage(pools: list[Pool], models: Models, count: int, rng: np.random.Generator) -> Chosen:
    return [(one.dataset, one.case) for one in suggest([survey(pool, 1) for pool in pools], count)]


def by_suggest(pools: list[Pool], models: Models, count: int, rng: np.random.Generator) -> Chosen:
    def certainty(pool: Pool, files: Sequence[Path]) -> Certainty:
        return assess(models(pool.dataset.name), files)

    return [(one.dataset, one.case) for one in suggest([survey(pool, 1, certainty) for pool in pools], count)]


STRATEGIES: dict[str, Strategy] = {
    "random": by_random,
    "suggest": by_suggest,
    "coverage": by_coverage,
    "entropy": by_entropy,
    "power": by_power,
    "k-centre": by_k_centre,
}
