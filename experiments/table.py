"""The table of low_label.py: mean Dice, its standard deviation over the seeds, a paired test against MASSTrainer."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mass_nnunet.benchmark.run.scoring import SCORES
from mass_nnunet.benchmark.run.state import DONE, read_record
from mass_nnunet.evaluation.statistics import compare
from mass_nnunet.hyperparameters import INFERENCES

OUTPUT = "benchmark"
"""Output folder of a group's grid, in the group's folder."""
REFERENCE = "MASSTrainer"
"""The method that all others are compared with, by the last of INFERENCES for which it has scores."""
_SETTING = ["data", "label_rate", "modality"]


def write_table(groups: Sequence[Path], root: Path) -> str:
    """Read the scores of all groups, write ``table.md`` and ``scores.csv`` into ``root``, and return the table.

    The part of a group's name before an underscore names the data: real_0 and real_1 are both ``real``.
    """
    tables = [
        read_cell(folder).assign(data=group.name.split("_")[0])
        for group in groups
        for folder in sorted((group / OUTPUT / "cells").glob("*"))
        if read_record(folder).get("state") == DONE
    ]
    if not tables:
        return "no cell is done yet\n"
    scores = pd.concat(tables, ignore_index=True)
    scores.to_csv(root / "scores.csv", index=False)
    rows = ["| data | labels | modality | method | inference | Dice | sd | seeds | - MASS | p | s/training | s/scan |"]
    rows.append("|" + "---|" * 12)
    for setting, group in scores.groupby(_SETTING, sort=True):
        for method, table in group.groupby(["method", "inference"], sort=True):
            rows.append(_row(setting, method, table, group))
    text = "\n".join(rows) + "\n"
    (root / "table.md").write_text(text, encoding="utf-8")
    return text


def read_cell(folder: Path) -> pd.DataFrame:
    """The scores of a cell, with the seconds of its training and of the prediction of a scan in each row."""
    scores, record = pd.read_csv(folder / SCORES), read_record(folder)
    per_scan = record["prediction_seconds_per_scan"]
    seconds = [per_scan[row.inference][row.modality] for row in scores.itertuples()]
    return scores.assign(training_seconds=record["training_seconds"], seconds_per_scan=seconds)


def _row(setting: tuple, method: tuple, table: pd.DataFrame, group: pd.DataFrame) -> str:
    by_seed = table.groupby("seed")["dice"].mean()
    named = group.assign(method=group["method"] + " " + group["inference"])
    known = set(group.loc[group["method"] == REFERENCE, "inference"])
    reference = f"{REFERENCE} {max(known, key=INFERENCES.index, default='')}"
    difference, p, _ = compare(named, "dice", " ".join(method), reference)
    data, rate, modality = setting
    cells = [data, f"{rate:g}", modality, *method, f"{by_seed.mean():.3f}", f"{by_seed.std():.3f}", len(by_seed)]
    cells += [f"{difference:+.3f}", f"{p:.2g}"]
    cells += [f"{table['training_seconds'].mean():.0f}", f"{table['seconds_per_scan'].mean():.1f}"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
