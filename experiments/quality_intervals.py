"""What intervals of the estimated Dice hold, and how wide they are, by the rule that sets their width.

    python experiments/quality_intervals.py WORK/fold_0 ...

The folders are those in which quality.py has kept the synthetic errors of annotated scans; no test scan is among them.
Some of the patients calibrate, the others are estimated: 30 draws, and each left out once.
"""

import argparse
import pickle
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from mass_nnunet.quality.calibration import Sample, columns
from mass_nnunet.quality.conformal import LEVEL, USUAL_LIKENESS
from mass_nnunet.quality.estimator import _regression, spread
from mass_nnunet.quality.features import FEATURES

DRAWS = 30
SCALES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, np.inf)
"""Steps of likeness by which an interval becomes e times as narrow."""
RULES = ("widest patient", "pooled", "pooled, corrected")


def subsets(count: int, chosen: int) -> Iterator[Sequence[int]]:
    """Which of the scans calibrate: all but one, or random ones."""
    if chosen == count - 1:
        yield from (np.delete(np.arange(count), i).tolist() for i in range(count))
    else:
        rng = np.random.default_rng(0)
        yield from (rng.choice(count, chosen, replace=False).tolist() for _ in range(DRAWS))


def width(residuals: Sequence[np.ndarray], rule: str) -> float:
    """Half the width in units of the residuals of left-out scans, of which each has as many."""
    if rule == "widest patient":
        return max(_quantile(one, LEVEL) for one in residuals)
    level = LEVEL if rule == "pooled" else min(1.0, LEVEL * (len(residuals) + 1) / len(residuals))
    return _quantile(np.concatenate(residuals), level)


def _quantile(values: np.ndarray, level: float) -> float:
    return float(np.sort(values)[max(0, int(np.ceil(level * len(values) - 1e-9)) - 1)])


def tried(samples: Sequence[Sample], calibrating: int) -> pd.DataFrame:
    """What the intervals of each rule and scale hold in scans that do not calibrate, and their width."""
    features, dice, patients, likeness, _ = columns(samples)
    features, owner, alike = features[:, : len(FEATURES)], np.array(patients), np.array(likeness)
    names = sorted(set(patients))
    rows = []
    for chosen in subsets(len(names), calibrating):
        known = [owner == names[i] for i in chosen]
        each = [(left, estimated(features, dice, np.any(known, 0) & ~left, left)) for left in known]
        new = ~np.any(known, 0)
        found = estimated(features, dice, ~new, new)
        for scale, rule in product(SCALES, RULES):
            unit = np.exp((USUAL_LIKENESS - alike) / scale)
            residuals = [np.abs(its - dice[left]) / (spread(its, USUAL_LIKENESS) * unit[left]) for left, its in each]
            half = width(residuals, rule) * spread(found, USUAL_LIKENESS) * unit[new]
            span = np.minimum(1, found + half) - np.maximum(0, found - half)
            held = np.abs(found - dice[new]) <= half
            rows.append({"rule": rule, "scale": scale, "held": held.mean(), "width": span.mean()})
    return pd.DataFrame(rows).groupby(["rule", "scale"]).mean()


def estimated(features: np.ndarray, dice: np.ndarray, known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Dice of some samples, estimated by others; both are masks (N,)."""
    return _regression(features[known], dice[known], np.ones(int(known.sum()))).estimate(features[new])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("-n", type=int, nargs="+", default=[3, 4, 6], help="scans that calibrate")
    args = parser.parse_args()
    for folder in args.folders:
        kept = [pickle.loads(file.read_bytes())[0] for file in sorted(folder.glob("synthetic_*.pkl"))]
        if not kept:
            raise SystemExit(f"{folder} holds no synthetic_*.pkl: name the folder fold_F in the --work of quality.py")
        samples = [sample for one in kept for sample in one]
        patients = len({sample.patient for sample in samples})
        if patients < 3:
            raise SystemExit(f"{folder} has synthetic errors of {patients} patients: three are needed")
        for n in [n for n in args.n if n < patients - 1] + [patients - 1]:
            print(f"{folder}: {n} of {patients} annotated patients calibrate")
            print(tried(samples, n).round(2).unstack("scale").swaplevel(axis=1).sort_index(axis=1).to_string())


if __name__ == "__main__":
    main()
