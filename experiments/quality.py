"""Estimated against true Dice and HD95 of predictions of many methods, and against other estimates that need no truth.

    python experiments/quality.py BENCH... -d 811 812 -f 1 --work FOLDER

BENCH is an output folder of ``mass_nnunet benchmark run``. True labels are used for the comparison alone: the scores in
``scores.csv``. Registrations and probabilities are kept in ``--work``, so that a killed run goes on; what comes from
other files, or from other code of quality and registration, is made again.
"""

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from mass_nnunet.api import Model, expected_dice
from mass_nnunet.data.label_map import read_label_map
from mass_nnunet.data.paths import FINAL_CHECKPOINT
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.quality.agreement import agreement, joined
from mass_nnunet.quality.calibration import Samples, columns
from mass_nnunet.quality.distances import OFFSET
from mass_nnunet.quality.estimator import Estimator, fit
from mass_nnunet.quality.features import FEATURES
from mass_nnunet.quality.folder import digest
from quality_bench import Bench, cells_of, kept
from quality_features import CANDIDATES

BAD = 0.6
"""True Dice, mean of a scan's organs, below which a scan is bad."""
DISTANCES = DISTANCE, OPINION = "estimated HD95", "distance of the second opinion"
COMPARED = "quality with other trainings"
CHOICES: dict[str, tuple[str, ...]] = {
    "quality": FEATURES,
    "agreement alone": ("agreement",),
    "expected alone": ("expected",),
    "with components": ("agreement", "expected", "scattered"),
    "all features": CANDIDATES,
    "volume alone": ("unusual_volume",),
}


def measure(dataset: RawDataset, number: int, benches: Sequence[Path], work: Path) -> pd.DataFrame:
    """A row for each method, test case and organ: true Dice and HD95, and each estimate with its interval."""
    bench = Bench(dataset, number, benches, work)
    samples, cells, organs = bench.samples(), cells_of(benches, dataset.name), list(dataset.labels)[1:]
    sure = probabilities(dataset, number, benches, work)
    fitted = {method: bench.with_validation(samples, method) for method, *_ in cells}
    ready = {method: (estimators_of(one), one.fit_distances()) for method, one in fitted.items()}
    rows = []
    for case in dataset.cases(TEST):
        files = {(method, how): f / f"{case}{dataset.ending}" for method, how, f, _ in cells}
        for method, inference, folder, scores in cells:
            own, found = files[method, inference], bench.measured(case, method, inference, folder)
            partners = [other for key, other in files.items() if key[0] != method and key[1] == inference]
            agreed, _ = agreement(own, partners, dataset.labels)
            segmented = np.unique(read_label_map(own, dataset.labels).values)
            table = pd.read_csv(scores)
            table = table[(table["dataset"] == dataset.name) & (table["inference"] == inference)]
            table = table[table["case"] == case].set_index("organ")
            estimators, distance = ready[method]
            for k, organ in enumerate(organs):
                row: dict[str, Any] = {"modality": dataset.channels[0], "method": method, "inference": inference}
                row |= {"case": case, "organ": organ}
                is_there = k + 1 in segmented  # the command estimates 0 for others
                row |= {column: table.loc[organ, column] for column in ("dice", "hd95")}
                for name, estimator in estimators.items():
                    value = estimator.estimate(found.numbers[k : k + 1, _places(name)]) * is_there
                    add(row, name, value, estimator.interval(value, found.likeness))
                if distance is not None:
                    its = found.distances[k : k + 1]
                    add(row, DISTANCE, distance.estimate(its), distance.interval(its, found.likeness))
                row[OPINION] = float(np.exp(found.distances[k, 1])) - OFFSET
                if organ in agreed:
                    row["other trainings"] = agreed[organ]
                    both = np.array([joined(row["quality"], agreed[organ])]) * is_there
                    add(row, COMPARED, both, estimators["quality"].interval(both, found.likeness))
                if inference == "segmentation":
                    row["softmax"] = sure.get((method, case, k + 1), np.nan)
                rows.append(row)
    return pd.DataFrame(rows)


def add(row: dict[str, Any], name: str, value: np.ndarray, ends: tuple[np.ndarray, np.ndarray]) -> None:
    """Put an estimate (1,) and its interval into a row."""
    (row[name],), (row[f"{name} low"],), (row[f"{name} high"],) = value, *ends


def _places(name: str) -> list[int]:
    return [CANDIDATES.index(column) for column in CHOICES[name]]


def estimators_of(samples: Samples) -> dict[str, Estimator]:
    """An estimator for each of :data:`CHOICES`."""
    features, dice_of, patients, likeness, real = columns(samples.overlap)
    return {name: fit(features[:, _places(name)], dice_of, patients, likeness, real) for name in CHOICES}


def probabilities(
    dataset: RawDataset, number: int, benches: Iterable[Path], work: Path
) -> dict[tuple[str, str, int], float]:
    """Expected Dice under a model's own softmax, by method, case and label; those of a scan are kept in a file."""
    found = {}
    for bench in benches:
        for folder in sorted(bench.glob(f"models/{dataset.name}/*")):
            weights = digest(folder.glob(f"fold_{number}/{FINAL_CHECKPOINT}"))
            for case in dataset.cases(TEST):
                image = dataset.images(TEST, case)[0]
                file = work / f"softmax_{bench.name}_{case}_{weights[:10]}{digest([image])[:10]}.pkl"
                for k, value in enumerate(kept(file, partial(_expected, folder, number, image)), 1):
                    found[bench.name, case, k] = value
    return found


def _expected(folder: Path, number: int, image: Path) -> list[float]:
    """Expected Dice of each label but the background under the softmax of a model's head."""
    sure = Model.load(folder, number).uncertainty(sitk.ReadImage(str(image)), branches=["segmentation"]).probabilities
    labels = sure.argmax(0)
    return [expected_dice(sure[k], labels == k) for k in range(1, len(sure))]


def summary(table: pd.DataFrame, name: str) -> dict[str, object]:
    """Agreement of one estimate of Dice with the truth."""
    known = table[table[name].notna()]
    organs = [group[name].corr(group["dice"]) for _, group in known.groupby("organ")]
    scans = known.groupby(["method", "inference", "case"])[["dice", name]].mean()
    bad, order = scans["dice"] < BAD, scans[name].rank(method="first")
    count = max(int(np.ceil(len(scans) / 4)), int(bad.sum()))
    return {
        "estimate": name,
        "scans": len(scans),
        **_errors(known, name, "dice"),
        "r": round(known[name].corr(known["dice"]), 2),
        "r by organ": " ".join(f"{value:.2f}" for value in organs),
        "r of scans": round(scans[name].corr(scans["dice"]), 2),
        "bad": int(bad.sum()),
        "found": round(float((order[bad] <= count).mean()), 2) if bad.any() else "",
    } | _interval(known, name, "dice")


def summary_of_distances(table: pd.DataFrame, name: str) -> dict[str, object]:
    """Agreement of one estimate of HD95 with the truth, where the organ was found."""
    known = table[table[name].notna() & np.isfinite(table["hd95"])]
    logs = known[[name, "hd95", "organ"]].assign(
        estimated=np.log(known[name] + OFFSET), true=np.log(known["hd95"] + OFFSET)
    )
    return {
        "estimate": name,
        "organs": len(known),
        **_errors(known, name, "hd95"),
        "median error": round((known[name] - known["hd95"]).abs().median(), 1),
        "factor": round(float(np.exp((logs["estimated"] - logs["true"]).abs().mean())), 2),
        "r of logarithms": round(logs["estimated"].corr(logs["true"]), 2),
        "r by organ": " ".join(f"{g['estimated'].corr(g['true']):.2f}" for _, g in logs.groupby(known["organ"])),
    } | _interval(known, name, "hd95")


def _errors(known: pd.DataFrame, name: str, true: str) -> dict[str, object]:
    error = known[name] - known[true]
    return {"MAE": round(error.abs().mean(), 3), "bias": round(error.mean(), 3)}


def _interval(known: pd.DataFrame, name: str, true: str) -> dict[str, object]:
    if f"{name} low" not in known:
        return {}
    low, high = known[f"{name} low"], known[f"{name} high"]
    return {
        "held": round(((low <= known[true]) & (known[true] <= high)).mean(), 2),
        "width": round((high - low).mean(), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="+", type=Path)
    parser.add_argument("-d", nargs="+", type=int, required=True)
    parser.add_argument("-f", "--fold", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    work = args.work / f"fold_{args.fold}"  # the annotated scans differ by fold
    work.mkdir(parents=True, exist_ok=True)
    for number in args.d:
        table = measure(RawDataset.load(number), args.fold, args.benches, work)
        table.to_csv(work / f"quality_{number}.csv", index=False)
        print(f"{number}:")
        names = [*CHOICES, COMPARED, "other trainings", "softmax"]
        print(pd.DataFrame([summary(table, name) for name in names if name in table]).to_string(index=False))
        print("HD95 in mm:")
        print(
            pd.DataFrame([summary_of_distances(table, name) for name in DISTANCES if name in table]).to_string(
                index=False
            )
        )


if __name__ == "__main__":
    main()
