"""The numbers of the report: a row for each method, modality, label rate and organ, and its test against another."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from mass_nnunet.evaluation.command import metric_title
from mass_nnunet.evaluation.statistics import MIN_PATIENTS, SETTING, compare_all, describe, holm, is_larger_better

from .results import ALL_ORGANS

LEVEL = 0.05
"""Of the corrected p-value, below which a difference is marked."""
_COLUMN = [*SETTING, "organ"]


def digits(measure: str) -> int:
    """Behind the point: one for what is in mm, three for shares."""
    return 1 if metric_title(measure).endswith("(mm)") else 3


def has_better_end(measure: str) -> bool:
    """Whether more or less of a measure is better."""
    try:
        is_larger_better(measure)
    except ValueError:
        return False
    return True


def compare_methods(scores: pd.DataFrame, measure: str, reference: str | None = None) -> pd.DataFrame:
    """Describe every method, alone and against another, in every setting, for each organ and over all of them.

    Args:
        scores: as statistics.py asks for.
        measure: its column.
        reference: the method that all others are tested against; without one it is, in each setting and organ, the
            method with the best mean. Measures without a better end are described only.

    Returns:
        a row each with modality, label_rate, organ (``ALL_ORGANS`` for the mean over them), method, the columns of
        ``statistics.Description``, is_best, and those of ``statistics.compare_all``: other, difference, p, p_holm.
        For Holm's correction the tests over all organs are one family, and those of the single organs are one in each
        setting: the p-value of a dozen patients is never below 0.0005, and in one family of hundreds none would count.
        Means with an organ that was missed are never the best.
    """
    whole = scores.assign(organ=ALL_ORGANS)
    parts = [
        _family(scores, whole[[*_COLUMN]].drop_duplicates(), measure, reference, over_organs=True),
        _family(scores, scores[[*_COLUMN]].drop_duplicates(), measure, reference, over_organs=False),
    ]
    return pd.concat(parts, ignore_index=True)


def _family(
    scores: pd.DataFrame, columns: pd.DataFrame, measure: str, reference: str | None, *, over_organs: bool
) -> pd.DataFrame:
    by = list(SETTING) if over_organs else _COLUMN
    table = describe(scores, measure, ["method", *by])
    if over_organs:
        table = table.assign(organ=ALL_ORGANS)
    table = table.assign(is_best=_best(table, measure))
    if not has_better_end(measure):
        return table.assign(other=None, difference=np.nan, p=np.nan, tested=0, p_holm=np.nan)
    groups = dict(list(scores.groupby(by)))
    pairs = []
    for column in columns.itertuples(index=False):
        key = tuple(column)[: len(by)]
        other = reference or _reference(table, key, by, measure)
        if other is not None:
            pairs.append(compare_all(groups[key], measure, other, by))
    tests = pd.concat(pairs) if pairs else compare_all(scores[:0], measure, reference, by)
    tests = tests.rename(columns={"patients": "tested"})
    p = tests["p"].astype(float)
    tests["p_holm"] = holm(p) if over_organs else p.groupby([tests[name] for name in SETTING]).transform(holm)
    return table.merge(tests, how="left", on=["method", *by])


def _best(table: pd.DataFrame, measure: str) -> pd.Series:
    """Whether a mean is the best of its column as it is printed; where all are alike none is."""
    if not has_better_end(measure):
        return pd.Series(False, index=table.index)
    printed = table["mean"].where(table["missed"] == 0).round(digits(measure))
    columns = printed.groupby([table[name] for name in _COLUMN])
    best = columns.transform("max" if is_larger_better(measure) else "min")
    shown = table["mean"].round(digits(measure)).where(table["missed"] == 0, -1.0)  # a missed one differs from all
    is_choice = shown.groupby([table[name] for name in _COLUMN]).transform("nunique") > 1
    return printed.eq(best) & is_choice


def _reference(table: pd.DataFrame, key: tuple[Hashable, ...], by: list[str], measure: str) -> str | None:
    """The method with the best mean of a column; None where every method missed something."""
    rows = table[(table[by] == list(key)).all(axis=1) & (table["missed"] == 0)].dropna(subset="mean")
    if rows.empty:
        return None
    best = rows["mean"].idxmax() if is_larger_better(measure) else rows["mean"].idxmin()
    return str(rows.loc[best, "method"])


def p_text(p_holm: float, tested: float) -> str:
    """The corrected p-value as it is printed, or why there is none."""
    if np.isfinite(p_holm):
        return f"{p_holm:#.2g}" if p_holm >= 0.001 else "< 0.001"
    if not tested:
        return "no common patients"
    if tested < MIN_PATIENTS:
        return "n too small"
    return "no difference"
