"""The table of the benchmark: mean Dice, deviation between seeds, and a paired test against MASSTrainer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

REFERENCE = ("MASSTrainer", "segmentation")
"""Method and inference that all others are compared with."""
_SETTING = ["data", "rate", "modality"]


def write_table(files: Sequence[Path], root: Path) -> str:
    """Read the scores, write ``table.md`` and ``scores.csv`` into ``root``, and return the table."""
    scores = pd.concat([pd.read_csv(file) for file in files])
    scores.to_csv(root / "scores.csv", index=False)
    rows = ["| data | labels | modality | method | inference | Dice | sd | seeds | - MASS | p | s/training | s/scan |"]
    rows.append("|" + "---|" * 12)
    for setting, group in scores.groupby(_SETTING, sort=True):
        for method, table in group.groupby(["method", "inference"], sort=True):
            rows.append(_row(setting, method, table, group))
    text = "\n".join(rows) + "\n"
    (root / "table.md").write_text(text, encoding="utf-8")
    return text


def _row(setting: tuple, method: tuple, table: pd.DataFrame, group: pd.DataFrame) -> str:
    by_seed = table.groupby("seed")["dice"].mean()
    difference, p = compare(table, group[(group["method"] == REFERENCE[0]) & (group["inference"] == REFERENCE[1])])
    data, rate, modality = setting
    cells = [data, f"{rate:g}", modality, *method, f"{by_seed.mean():.3f}", f"{by_seed.std():.3f}", len(by_seed)]
    cells += [f"{difference:+.3f}", f"{p:.2g}"]
    cells += [f"{table['training_seconds'].mean():.0f}", f"{table['seconds_per_scan'].mean():.1f}"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def compare(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, float]:
    """Mean difference of the Dice of the scans that both scored, and p of Wilcoxon's signed rank test.

    A scan's Dice is the mean over its organs and the seeds: seeds test on the same scans and are no further scans. NaN
    where there is nothing to compare.
    """
    pairs = []
    for table in (one, other):
        pairs.append(table.groupby(["case", "seed"])["dice"].mean())
    both = pd.concat(pairs, axis=1, join="inner").groupby("case").mean()
    difference = (both.iloc[:, 0] - both.iloc[:, 1]).to_numpy()
    if len(difference) == 0 or not np.any(difference):
        return float(difference.mean()) if len(difference) else float("nan"), float("nan")
    return float(difference.mean()), float(wilcoxon(difference).pvalue)
