"""The tables of scores, of tests, and of the ranking."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mass_nnunet.evaluation.metrics import DICE, Metric, find_metric
from mass_nnunet.evaluation.statistics import Ranking

from .comparison import SIGNIFICANT_P, p_text
from .formats import Entry, Table
from .results import ALL_ORGANS, Results

NOTHING = Entry("–")


def setting_title(modality: str, label_rate: float) -> str:
    """``CT, 10 % of the labels``."""
    return f"{modality}, {100 * label_rate:g} % of the labels"


def organ_title(organ: str) -> str:
    """``right kidney`` for the label ``right_kidney``."""
    return organ.replace("_", " ")


def score_table(results: Results, numbers: pd.DataFrame, measure: str) -> Table:
    """Mean and interval by organ (columns) and method (rows), in groups by setting.

    The last column is the standard deviation between seeds, over all organs. ``numbers`` are those of comparison.py.
    """
    metric = find_metric(measure)
    organs = [*results.organs, ALL_ORGANS]
    indexed = numbers.set_index(["modality", "label_rate", "method", "organ"])
    groups = []
    for setting in results.settings:
        of_setting = numbers[(numbers["modality"] == setting[0]) & (numbers["label_rate"] == setting[1])]
        most = of_setting[["patients", "seeds"]].max()
        rows = []
        for method in results.methods:
            if not ((of_setting["method"] == method).any()):
                continue
            entries = [_score(indexed, (*setting, method, organ), metric) for organ in organs]
            over_organs = (*setting, method, ALL_ORGANS)
            whole = indexed.loc[over_organs]
            rows.append([_named(method, whole, most), *entries, _deviation(whole, metric)])
        if rows:
            people, seeds = (int(most[name]) for name in ("patients", "seeds"))
            groups.append((f"{setting_title(*setting)} ({_count(people, 'patient')}, {_count(seeds, 'seed')})", rows))
    header = ["method", *(organ_title(organ) for organ in organs), "sd of seeds"]
    return Table(header, groups, caption(metric))


def overview_table(results: Results, numbers: pd.DataFrame, measure: str) -> Table:
    """Mean and interval over all organs, by method (rows) and setting (columns)."""
    metric = find_metric(measure)
    indexed = numbers.set_index(["modality", "label_rate", "method", "organ"])
    most = numbers.groupby(["modality", "label_rate"])[["patients", "seeds"]].max()
    rows = []
    for method in results.methods:
        entries = []
        for setting in results.settings:
            key = (*setting, method, ALL_ORGANS)
            entry = _score(indexed, key, metric)
            fewer = _fewer(indexed.loc[key], most.loc[setting]) if key in indexed.index else ""
            entries.append(replace(entry, note=", ".join(part for part in (entry.note, fewer) if part)))
        rows.append([Entry(method), *entries])
    header = ["method", *(f"{modality}, {100 * rate:g} %" for modality, rate in results.settings)]
    return Table(header, [("", rows)], f"Over all organs, by modality and label rate. {caption(metric)}")


def caption(metric: Metric) -> str:
    """The caption of a table of scores."""
    text = f"{metric.title}: mean over patients [95 % bootstrap interval]"
    if metric.better is not None:
        text += "; best in bold; * differs from the reference, Wilcoxon signed-rank over patients, Holm, "
        text += f"p < {SIGNIFICANT_P:g}"
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _deviation(row: pd.Series, metric: Metric) -> Entry:
    """The standard deviation between seeds; none where all are equal, as for predictions of other tools."""
    return Entry(metric.text(row["sd"])) if np.isfinite(row["sd"]) and row["sd"] > 0 else NOTHING


def _named(method: str, row: pd.Series, most: pd.Series) -> Entry:
    """A method's name, with a note if it has fewer patients or seeds than another method of the setting."""
    fewer = _fewer(row, most)
    return Entry(method, f"({fewer})" if fewer else "")


def _fewer(row: pd.Series, most: pd.Series) -> str:
    names = ("patients", "seeds")
    return ", ".join(f"{row[name]:.0f} of {most[name]:.0f} {name}" for name in names if row[name] < most[name])


def _score(indexed: pd.DataFrame, key: tuple, metric: Metric) -> Entry:
    if key not in indexed.index:
        return NOTHING
    row = indexed.loc[key]
    missed = f"{row['missed']:.0f} missed" if row["missed"] else ""
    is_marked = bool(row["p_holm"] < SIGNIFICANT_P)  # False for NaN: there was no test
    if not np.isfinite(row["mean"]):
        return Entry("–", missed, is_marked=is_marked)
    interval = f"[{metric.text(row['low'])}, {metric.text(row['high'])}]" if np.isfinite(row["low"]) else ""
    note = ", ".join(part for part in (interval, missed) if part)
    return Entry(metric.text(row["mean"]), note, bool(row["is_best"]), is_marked)


def comparison_table(results: Results, numbers: pd.DataFrame, measure: str) -> Table:
    """The tests over all organs: method, reference, difference, patients and p-values."""
    metric = find_metric(measure)
    groups = []
    for modality, rate in results.settings:
        rows = numbers[
            (numbers["modality"] == modality) & (numbers["label_rate"] == rate) & (numbers["organ"] == ALL_ORGANS)
        ]
        entries = []
        for _, row in rows.dropna(subset="other").iterrows():
            difference = metric.text(row["difference"], "+") if np.isfinite(row["difference"]) else "–"
            p = f"{row['p']:#.2g}" if np.isfinite(row["p"]) else "–"
            corrected = Entry(p_text(row["p_holm"], row["tested"]), is_marked=bool(row["p_holm"] < SIGNIFICANT_P))
            words = [row["method"], row["other"], difference, f"{row['tested']:.0f}", p]
            entries.append([*(Entry(word) for word in words), corrected])
        if entries:
            groups.append((setting_title(modality, rate), entries))
    header = ["method", "reference", "difference", "patients", "p", "p, Holm"]
    text = f"{metric.title} over all organs: method less reference, Wilcoxon signed-rank over patients"
    return Table(header, groups, text, text_columns=2)


def ranking_table(rankings: Mapping[tuple[str, float], Ranking]) -> Table:
    """Ranks by mean Dice, with the shares of resamples in which a method has its own rank and the first rank."""
    groups = []
    for setting, ranking in rankings.items():
        rows = []
        for method, row in ranking.table.iterrows():
            if not ranking.patients:
                rows.append([Entry(str(method)), NOTHING, NOTHING, NOTHING, NOTHING])
                continue
            own, first = row[row["rank"]], row[1]
            words = (DICE.text(row["mean"]), f"{row['rank']:.0f}", f"{100 * own:.0f} %", f"{100 * first:.0f} %")
            rows.append([Entry(str(method)), *(Entry(word) for word in words)])
        tau = f"{ranking.tau:.2f}" if np.isfinite(ranking.tau) else "not defined"
        patients = _count(ranking.patients, "patient")
        groups.append((f"{setting_title(*setting)} ({patients} that all methods scored; Kendall's tau {tau})", rows))
    header = ["method", DICE.title, "rank", "resamples with this rank", "resamples first"]
    return Table(
        header, groups, "Ranking by mean Dice over patients, and its stability under bootstrap of the patients"
    )
