"""Statistics of the scores of several methods. The patient is what is drawn at random, never an organ, scan or seed.

Scores are one row for each method, modality, label_rate, seed, case and organ, with measures as evaluation.py has them
(dice, nsd_2mm, hd95, ...). modality, label_rate and seed may be left out. Where there is no column patient, each case
is a patient. A patient's value is the mean over organs, then over scans and seeds.

NaN means that the truth has no such organ: such rows are left out. An infinite distance means that the organ was not
found: means are over what was found, with the number of the missed beside; comparisons and rankings take it for worse
than any other.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata, wilcoxon

from .scores import NSD

SETTING = ("modality", "label_rate")
MIN_PATIENTS = 6
"""With fewer pairs no difference can have p < 0.05 in a two-sided signed-rank test: 2 / 2**5 = 0.06."""
RESAMPLES = 2000
_DIGITS = 9
"""Of differences between patients: below is the rounding of their means, which would part what is equal."""
_SCAN = ("patient", *SETTING, "seed", "case")


def is_larger_better(measure: str) -> bool:
    """Whether a method with more of a measure is better: Dice and surface Dice, and not the distances.

    Raises:
        ValueError: it has no better end, as the signed volume difference.
    """
    if measure == "dice" or measure.startswith(NSD):
        return True
    if measure in ("hd", "hd95", "assd"):
        return False
    raise ValueError(f"{measure} does not tell which of two methods is better")


def _identified(scores: pd.DataFrame) -> pd.DataFrame:
    """With the column patient: two modalities may name their cases alike, which are then not one patient.

    Raises:
        ValueError: a row does not say whose it is (pandas would leave it out without a word), or a method scored the
            same organ of a scan twice.
    """
    if "patient" not in scores:
        case = scores["case"].astype(str)
        scores = scores.assign(patient=scores["modality"].astype(str) + " " + case if "modality" in scores else case)
    identity = ["method", *_rows(scores)]
    for problem, bad in (("nameless", scores[identity].isna().any(axis=1)), ("twice", scores.duplicated(identity))):
        if bad.any():
            raise ValueError(f"{problem} among the scores: {scores.loc[bad, identity].iloc[0].to_dict()}")
    return scores


def _patient_means(values: pd.Series | pd.DataFrame) -> pd.Series | pd.DataFrame:
    """From an index of scans and organs to one of patients."""
    scan = [level for level in values.index.names if level != "organ"]
    return values.groupby(level=scan).mean().groupby(level="patient").mean()


def _rows(scores: pd.DataFrame) -> list[str]:
    """The columns that name a row, but for the method."""
    return [column for column in (*_SCAN, "organ") if column in scores]


def patient_values(scores: pd.DataFrame, measure: str, methods: Sequence[str]) -> pd.DataFrame:
    """One row a patient and one column a method: the mean over organs, then over scans and seeds.

    Only what all the methods scored counts: the same scans, organs and seeds for each.
    """
    scores = _identified(scores)
    wide = scores.pivot(index=_rows(scores), columns="method", values=measure)
    return _patient_means(wide.reindex(columns=list(methods)).dropna())


def bootstrap_means(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Means over patients drawn with replacement, as many as there are.

    Args:
        values: (patients, methods), finite or infinite; all methods get the same patients.
        resamples: how often.
        seed: of the drawing.

    Returns:
        (resamples, methods)
    """
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    return np.stack([column[drawn].mean(axis=1) for column in values.T], axis=1)


class Description(NamedTuple):
    """Of one group of scores.

    Attributes:
        mean: over the patients.
        sd: deviation (of a sample) between the means of the seeds, NaN with fewer than two or without the column.
        low, high: bootstrap percentile interval of 95 % for the mean over patients (Efron 1979), NaN with fewer than
            two patients. With few patients it is too narrow.
        patients, seeds: with a value.
        missed: rows with an infinite distance, left out of all others.
    """

    mean: float
    sd: float
    low: float
    high: float
    patients: int
    seeds: int
    missed: int


def describe(
    scores: pd.DataFrame,
    measure: str,
    by: Sequence[str] = ("method", *SETTING),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """One row for each group of ``by``, to which "organ" may belong; groups with nothing but NaN have none.

    Returns:
        columns of ``by``, and those of :class:`Description`.
    """
    table = []
    for group, rows in _identified(scores).dropna(subset=measure).groupby(list(by), sort=False):
        found = rows[np.isfinite(rows[measure])]
        values = found.set_index(_rows(found))[measure]
        patients = _patient_means(values)
        low, high = np.nan, np.nan
        if len(patients) > 1:
            means = bootstrap_means(patients.to_numpy()[:, None], resamples, seed)
            low, high = np.percentile(means, (2.5, 97.5))
        by_seed = [_patient_means(part).mean() for _, part in values.groupby(level="seed")] if "seed" in found else []
        sd = pd.Series(by_seed, dtype=float).std()
        missed = len(rows) - len(found)
        description = Description(patients.mean(), sd, low, high, len(patients), len(by_seed), missed)
        table.append(dict(zip(by, group, strict=True)) | description._asdict())
    return pd.DataFrame(table, columns=[*by, *Description._fields])


class Comparison(NamedTuple):
    """Of two methods.

    Attributes:
        difference: mean over the patients of the first less the second, of those where both are finite; NaN if none.
        p: of Wilcoxon's signed-rank test, two-sided; NaN with fewer than ``MIN_PATIENTS`` patients, or where all
            patients are alike.
        patients: that both scored.
    """

    difference: float
    p: float
    patients: int


def compare(scores: pd.DataFrame, measure: str, one: str, other: str) -> Comparison:
    """Paired test of two methods over the patients that both scored (Wilcoxon 1945).

    A patient where both are infinite is one without a difference; one where one of them is has the largest.
    """
    values = patient_values(scores, measure, (one, other)).to_numpy()
    differences = np.subtract(*values.T, where=~np.isinf(values).all(axis=1), out=np.zeros(len(values)))
    differences = differences.round(_DIGITS)
    finite = differences[np.isfinite(values).all(axis=1)]
    can_test = len(differences) >= MIN_PATIENTS and differences.any()
    p = float(wilcoxon(differences).pvalue) if can_test else float("nan")
    return Comparison(float(finite.mean()) if len(finite) else float("nan"), p, len(differences))


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values corrected for their number (Holm 1979), so that one of 0.05 is one false finding in 20 families.

    NaN stays NaN and does not count: there was no test.
    """
    p = np.asarray(p, dtype=float)
    corrected = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN comes last
    steps = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    corrected[order] = np.minimum(steps, 1)
    return corrected


def compare_all(
    scores: pd.DataFrame, measure: str, reference: str | None = None, by: Sequence[str] = SETTING
) -> pd.DataFrame:
    """``compare`` every method with ``reference``, or every two if there is none, in every setting of ``by``.

    All the comparisons of one call are one family for Holm's correction.

    Returns:
        columns of ``by``, method, other, those of :class:`Comparison`, and p_holm.
    """
    rows = []
    for setting, group in _identified(scores).groupby(list(by), sort=False):
        methods = list(dict.fromkeys(group["method"]))
        pairs = [(method, reference) for method in methods if method != reference]
        for one, other in pairs if reference is not None else combinations(methods, 2):
            names = dict(zip(by, setting, strict=True)) | {"method": one, "other": other}
            rows.append(names | compare(group, measure, one, other)._asdict())
    table = pd.DataFrame(rows, columns=[*by, "method", "other", *Comparison._fields])
    return table.assign(p_holm=holm(table["p"]))


class Ranking(NamedTuple):
    """The methods by their mean over patients, and how far that depends on which patients there were.

    Attributes:
        table: one row a method, the best first: mean, rank (equal ones share the lower number), and for each rank
            the share of the bootstrap resamples in which the method has it.
        tau: mean of Kendall's tau-b between the ranking of a resample and that of all patients, 1 where they are
            always the same; without resamples in which all methods are equal, and NaN where they always are.
        patients: that all the methods scored.
    """

    table: pd.DataFrame
    tau: float
    patients: int


def rank_methods(scores: pd.DataFrame, measure: str, resamples: int = RESAMPLES, seed: int = 0) -> Ranking:
    """Rank by the mean over the patients that all the methods scored (Wiesenfarth et al. 2021, Scientific Reports).

    The mean of a method that missed an organ is infinite for a distance: all such share the last rank. Dice and
    surface Dice have no such gap. With no patient that all scored all is NaN.

    Raises:
        ValueError: ``measure`` has no better end.
    """
    sign = -1 if is_larger_better(measure) else 1
    methods = list(dict.fromkeys(scores["method"]))
    values = patient_values(scores, measure, methods)
    if values.empty:
        return Ranking(pd.DataFrame(np.nan, index=methods, columns=["mean", "rank"]), float("nan"), 0)
    whole = rankdata(sign * values.mean().to_numpy(), method="min")
    ranks = rankdata(sign * bootstrap_means(values.to_numpy(), resamples, seed), method="min", axis=1)
    different, counts = np.unique(ranks, axis=0, return_counts=True)
    taus = np.array([kendalltau(whole, row).statistic for row in different])
    known = ~np.isnan(taus)
    tau = np.average(taus[known], weights=counts[known]) if known.any() else np.nan
    shares = {rank: (ranks == rank).mean(axis=0) for rank in range(1, len(methods) + 1)}
    table = pd.DataFrame({"mean": values.mean(), "rank": whole.astype(int), **shares}, index=values.columns)
    return Ranking(table.sort_values("rank", kind="stable"), float(tau), len(values))
