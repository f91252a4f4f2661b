"""The numbers of the report: a row for each method, modality, label rate and organ, with its test."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from mass_nnunet.evaluation.metrics import Metric, find_metric
from mass_nnunet.evaluation.statistics import MIN_PATIENTS, STRATUM, compare_all, describe, holm

from .results import ALL_ORGANS

SIGNIFICANT_P = 0.05
"""Significance level of the corrected p-values; significant differences are marked."""
_COLUMN = [*STRATUM, "organ"]


def compare_methods(scores: pd.DataFrame, measure: str, reference: str | None = None) -> pd.DataFrame:
    """Describe every method and test it against a reference, in each setting, for each organ and over all organs.

    A setting is a modality and a label rate. For Holm's correction, all tests over all organs are one family, and the
    tests of single organs are one family per setting. In one family of hundreds nothing would be significant, because a
    dozen patients give no p-value below 0.0005. A mean with a missed organ is never the best.

    Args:
        scores: as statistics.py requires.
        measure: column of a metric. A metric without a better direction is described and not tested.
        reference: the method that all others are tested against; without one, the method with the best mean of each
            setting and organ.

    Returns:
        Rows with modality, label_rate, organ (``ALL_ORGANS`` for the mean over organs), method, the columns of
        ``statistics.Description``, is_best, and those of ``statistics.compare_all``: other, difference, p, p_holm.
    """
    metric, whole = find_metric(measure), scores.assign(organ=ALL_ORGANS)
    parts = [
        _family(scores, whole[[*_COLUMN]].drop_duplicates(), metric, reference, over_organs=True),
        _family(scores, scores[[*_COLUMN]].drop_duplicates(), metric, reference, over_organs=False),
    ]
    return pd.concat(parts, ignore_index=True)


def _family(
    scores: pd.DataFrame, columns: pd.DataFrame, metric: Metric, reference: str | None, *, over_organs: bool
) -> pd.DataFrame:
    by = list(STRATUM) if over_organs else _COLUMN
    table = describe(scores, metric.column, ["method", *by])
    if over_organs:
        table = table.assign(organ=ALL_ORGANS)
    table = table.assign(is_best=_best(table, metric))
    if metric.better is None:
        return table.assign(other=None, difference=np.nan, p=np.nan, tested=0, p_holm=np.nan)
    groups = dict(list(scores.groupby(by)))
    pairs = []
    for column in columns.itertuples(index=False):
        key = tuple(column)[: len(by)]
        other = reference or _reference(table, key, by, metric)
        if other is not None:
            pairs.append(compare_all(groups[key], metric.column, other, by))
    tests = pd.concat(pairs) if pairs else compare_all(scores[:0], metric.column, reference, by)
    tests = tests.rename(columns={"patients": "tested"})
    p = tests["p"].astype(float)
    tests["p_holm"] = holm(p) if over_organs else p.groupby([tests[name] for name in STRATUM]).transform(holm)
    return table.merge(tests, how="left", on=["method", *by])


def _best(table: pd.DataFrame, metric: Metric) -> pd.Series:
    """Whether a mean, as printed, is the best of its column; no mean is the best if all are equal."""
    if metric.better is None:
        return pd.Series(False, index=table.index)
    printed = table["mean"].where(table["missed"] == 0).round(metric.digits)
    columns = printed.groupby([table[name] for name in _COLUMN])
    best = columns.transform("max" if metric.is_larger_better else "min")
    shown = table["mean"].round(metric.digits).where(table["missed"] == 0, -1.0)  # differs from all
    is_choice = shown.groupby([table[name] for name in _COLUMN]).transform("nunique") > 1
    return printed.eq(best) & is_choice


def _reference(table: pd.DataFrame, key: tuple[Hashable, ...], by: list[str], metric: Metric) -> str | None:
    """The method with the best mean of a column; None if every method missed an organ."""
    rows = table[(table[by] == list(key)).all(axis=1) & (table["missed"] == 0)].dropna(subset="mean")
    if rows.empty:
        return None
    best = rows["mean"].idxmax() if metric.is_larger_better else rows["mean"].idxmin()
    return str(rows.loc[best, "method"])


def p_text(p_holm: float, tested: float) -> str:
    """The corrected p-value as text, or the reason why there is none."""
    if np.isfinite(p_holm):
        return f"{p_holm:#.2g}" if p_holm >= 0.001 else "< 0.001"
    if not tested:
        return "no common patients"
    if tested < MIN_PATIENTS:
        return "n too small"
    return "no difference"
