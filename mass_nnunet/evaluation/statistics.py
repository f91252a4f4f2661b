"""Statistics of the scores of several methods. The random unit is the patient, never an organ, a scan or a seed.

Scores have one row for each method, modality, label_rate, seed, case and organ, and the columns of the metrics
(metrics.py). The columns modality, label_rate and seed are optional. Without a column patient, each case is a patient.
A patient's value is the mean over the organs, then over scans and seeds.

NaN means that the truth has no such organ: the row is left out. An infinite distance means that the organ was not
found: means are over the organs that were found, and the missed ones are counted; comparisons and rankings take the
infinite value to be worse than any other.

Tests and rank statistics are those of scipy.stats. The bootstrap is our own since ``scipy.stats.bootstrap`` returns an
interval only, and the ranking needs the resampled means of all methods for the same patients.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata, wilcoxon

from .metrics import find_metric

STRATUM = ("modality", "label_rate")
"""Columns within which methods are compared."""
Values = TypeVar("Values", pd.Series, pd.DataFrame)
MIN_PATIENTS = 6
"""With fewer pairs no difference can have p < 0.05 in a two-sided signed-rank test: 2 / 2**5 = 0.06."""
RESAMPLES = 2000
_DIGITS = 9
"""Decimal places of the differences between patients: equal means differ in later places, by rounding."""
_SCAN = ("patient", *STRATUM, "seed", "case")


def _identified(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with a column patient. Cases of two modalities that have the same name are different patients.

    Raises:
        ValueError: a row lacks a value that identifies it (pandas would drop it silently), or a method has two scores
            of the same organ of a scan.
    """
    if "patient" not in scores:
        case = scores["case"].astype(str)
        scores = scores.assign(patient=scores["modality"].astype(str) + " " + case if "modality" in scores else case)
    identity = ["method", *_rows(scores)]
    for problem, bad in (("nameless", scores[identity].isna().any(axis=1)), ("twice", scores.duplicated(identity))):
        if bad.any():
            raise ValueError(f"{problem} among the scores: {scores.loc[bad, identity].iloc[0].to_dict()}")
    return scores


def _patient_means(values: Values, by: Sequence[str] = ()) -> Values:
    """Means over organs, then over scans and seeds: the index of scans and organs becomes one of patients.

    Each group of the levels ``by`` has means of its own. One call for all takes far less time than a call for each.
    """
    scan = [*by, *(level for level in values.index.names if level not in ("organ", *by))]
    return values.groupby(level=scan).mean().groupby(level=[*by, "patient"]).mean()


def _rows(scores: pd.DataFrame) -> list[str]:
    """The columns that identify a row, without the method."""
    return [column for column in (*_SCAN, "organ") if column in scores]


def patient_values(scores: pd.DataFrame, measure: str, methods: Sequence[str]) -> pd.DataFrame:
    """One row for each patient, one column for each method: the mean over organs, then over scans and seeds.

    Only the scans, organs and seeds that all the methods scored count.
    """
    return _patients_of_all(_by_method(_identified(scores), measure), methods)


def _by_method(scores: pd.DataFrame, measure: str) -> pd.DataFrame:
    """One row for each scan and organ, one column for each method."""
    return scores.pivot(index=_rows(scores), columns="method", values=measure)


def _patients_of_all(values: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """:func:`patient_values`, of values :func:`_by_method`."""
    return _patient_means(values.reindex(columns=list(methods)).dropna())


def bootstrap_means(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Means over as many patients as there are, sampled with replacement.

    Args:
        values: (patients, methods), finite or infinite; each resample has the same patients for all methods.
        resamples: number of resamples.
        seed: seed of the sampling.

    Returns:
        (resamples, methods)
    """
    sampled = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    return np.stack([column[sampled].mean(axis=1) for column in values.T], axis=1)


class Description(NamedTuple):
    """Summary statistics of one group of scores.

    Attributes:
        mean: mean over the patients.
        sd: sample standard deviation of the means of the seeds; NaN with fewer than two seeds or without the column.
        low, high: 95 % bootstrap percentile interval of the mean over patients (Efron 1979); NaN with fewer than two
            patients. It is too narrow where there are few patients.
        patients, seeds: numbers of patients and of seeds with a value.
        missed: number of rows with an infinite distance; no other attribute counts them.
    """

    mean: float
    sd: float
    low: float
    high: float
    patients: int
    seeds: int
    missed: int


def describe(scores: pd.DataFrame, measure: str, by: Sequence[str] = ("method", *STRATUM)) -> pd.DataFrame:
    """Describe each group of ``by``, which may include "organ".

    Returns:
        one row for each group that has a value: the columns ``by`` and those of :class:`Description`.
    """
    table = []
    scores = _identified(scores).dropna(subset=measure)
    found = scores[np.isfinite(scores[measure])]
    values = found.set_index(list(dict.fromkeys([*by, *_rows(found)])))[measure]
    patients_of = _groups(_patient_means(values, by), by)
    seeds_of: dict[Any, pd.Series] = {}
    if "seed" in found:
        seed = [*by, *({"seed"} - {*by})]
        seeds_of = _groups(_patient_means(values, seed).groupby(level=seed).mean(), by)
    nothing = pd.Series(dtype=float)
    for group, rows in scores.groupby(list(by), sort=False):
        patients, seeds = patients_of.get(group, nothing), seeds_of.get(group, nothing)
        low, high = np.nan, np.nan
        if len(patients) > 1:
            means = bootstrap_means(patients.to_numpy()[:, None])
            low, high = np.percentile(means, (2.5, 97.5))
        missed = int(np.isinf(rows[measure]).sum())
        description = Description(patients.mean(), seeds.std(), low, high, len(patients), len(seeds), missed)
        table.append(dict(zip(by, group, strict=True)) | description._asdict())
    return pd.DataFrame(table, columns=[*by, *Description._fields])


def _groups(values: pd.Series, by: Sequence[str]) -> dict[Any, pd.Series]:
    """The values of each group of the levels ``by``."""
    return dict(list(values.groupby(list(by))))


class Comparison(NamedTuple):
    """The comparison of two methods.

    Attributes:
        difference: mean of the first less the second over the patients where both are finite; NaN without any.
        p: two-sided p-value of Wilcoxon's signed-rank test; NaN with fewer than ``MIN_PATIENTS`` patients, or where no
            patient has a difference.
        patients: number of patients that both scored.
    """

    difference: float
    p: float
    patients: int


def compare(scores: pd.DataFrame, measure: str, one: str, other: str) -> Comparison:
    """Paired test of two methods over the patients that both scored (Wilcoxon 1945).

    The difference of a patient is 0 if both values are infinite, and infinite if one of them is.

    Args:
        scores: see the module.
        measure: column of a metric.
        one: name of the first method.
        other: name of the second method.
    """
    return _compare(patient_values(scores, measure, (one, other)).to_numpy())


def _compare(values: np.ndarray) -> Comparison:
    """:func:`compare` the two columns of values of patients."""
    differences = np.zeros(len(values))
    np.subtract(values[:, 0], values[:, 1], where=~np.isinf(values).all(axis=1), out=differences)
    differences = differences.round(_DIGITS)
    finite = differences[np.isfinite(values).all(axis=1)]
    can_test = len(differences) >= MIN_PATIENTS and differences.any()
    p = float(wilcoxon(differences).pvalue) if can_test else float("nan")
    return Comparison(float(finite.mean()) if len(finite) else float("nan"), p, len(differences))


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values of one family of tests, corrected for their number (Holm 1979).

    A NaN, for a test that was not made, stays NaN and is not counted. scipy.stats has no Holm correction
    (``false_discovery_control`` bounds another error), and statsmodels would be a dependency for this function alone.
    """
    values = np.asarray(p, dtype=float)
    corrected = np.full(values.shape, np.nan)
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # NaN comes last
    steps = np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1))
    corrected[order] = np.minimum(steps, 1)
    return corrected


def compare_all(
    scores: pd.DataFrame, measure: str, reference: str | None = None, by: Sequence[str] = STRATUM
) -> pd.DataFrame:
    """``compare`` every method with ``reference``, or every two methods without one, in each group of ``by``.

    All comparisons of one call are one family for Holm's correction.

    Returns:
        columns ``by``, method, other, those of :class:`Comparison`, and p_holm.
    """
    rows = []
    for setting, group in _identified(scores).groupby(list(by), sort=False):
        methods = list(dict.fromkeys(group["method"]))
        if reference is None:
            pairs = list(combinations(methods, 2))
        else:
            pairs = [(method, reference) for method in methods if method != reference]
        values = _by_method(group, measure)
        for one, other in pairs:
            names = dict(zip(by, setting, strict=True)) | {"method": one, "other": other}
            found = _compare(_patients_of_all(values, (one, other)).to_numpy())
            rows.append(names | found._asdict())
    table = pd.DataFrame(rows, columns=[*by, "method", "other", *Comparison._fields])
    return table.assign(p_holm=holm(table["p"]))


class Ranking(NamedTuple):
    """The methods ranked by their mean over patients, and the stability of the ranking.

    Attributes:
        table: one row for each method, the best first: mean, rank (equal methods share the lower number), and for each
            rank the share of the bootstrap resamples in which the method has it.
        tau: mean of Kendall's tau-b between the ranking of a resample and that of all patients; 1 where they always
            agree. Resamples in which all methods are equal do not count; NaN without any other.
        patients: number of patients that all the methods scored.
    """

    table: pd.DataFrame
    tau: float
    patients: int


def rank_methods(scores: pd.DataFrame, measure: str, resamples: int = RESAMPLES) -> Ranking:
    """Rank by the mean over the patients that all the methods scored (Wiesenfarth et al. 2021, Scientific Reports).

    A method that missed an organ has an infinite mean distance; all such methods share the last rank. Without a patient
    that all the methods scored, the ranking is NaN.

    Raises:
        ValueError: neither of two values of ``measure`` is better.
    """
    sign = -1 if find_metric(measure).is_larger_better else 1
    methods = list(dict.fromkeys(scores["method"]))
    values = patient_values(scores, measure, methods)
    if values.empty:
        return Ranking(pd.DataFrame(np.nan, index=methods, columns=["mean", "rank"]), float("nan"), 0)
    whole = rankdata(sign * values.mean().to_numpy(), method="min")
    ranks = rankdata(sign * bootstrap_means(values.to_numpy(), resamples), method="min", axis=1)
    different, counts = np.unique(ranks, axis=0, return_counts=True)
    taus = np.array([kendalltau(whole, row).statistic for row in different])
    known = ~np.isnan(taus)
    tau = np.average(taus[known], weights=counts[known]) if known.any() else np.nan
    shares: dict[str | int, Any] = {rank: (ranks == rank).mean(axis=0) for rank in range(1, len(methods) + 1)}
    columns: dict[str | int, Any] = {"mean": values.mean(), "rank": whole.astype(int)}
    table = pd.DataFrame(columns | shares, index=values.columns)
    return Ranking(table.sort_values("rank", kind="stable"), float(tau), len(values))
