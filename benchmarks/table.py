"""The table of the benchmark: mean Dice, deviation between seeds, and a paired test against MASSTrainer."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mass_nnunet.statistics import compare

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
    named = group.assign(method=group["method"] + " " + group["inference"])
    difference, p, _ = compare(named, "dice", " ".join(method), " ".join(REFERENCE))
    data, rate, modality = setting
    cells = [data, f"{rate:g}", modality, *method, f"{by_seed.mean():.3f}", f"{by_seed.std():.3f}", len(by_seed)]
    cells += [f"{difference:+.3f}", f"{p:.2g}"]
    cells += [f"{table['training_seconds'].mean():.0f}", f"{table['seconds_per_scan'].mean():.1f}"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
