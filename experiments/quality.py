"""Estimated against true Dice of predictions of many methods, and against other estimates that need no truth.

    python experiments/quality.py BENCH... -d 811 812 -f 1 --work FOLDER

BENCH is an output folder of ``mass_nnunet benchmark run``. True labels are used for the comparison alone: the scores in
``scores.csv``. Registrations and probabilities are kept in ``--work``, so that a killed run goes on.
"""

import argparse
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from mass_nnunet.api import Model, expected_dice
from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.quality.calibration import Samples
from mass_nnunet.quality.estimator import Estimator
from mass_nnunet.quality.evidence import Evidence, Reference, gather, without_patient
from mass_nnunet.quality.features import CANDIDATES, FEATURES, dice, features
from mass_nnunet.quality.grid import read_scan, read_shares
from mass_nnunet.quality.references import annotated_cases, files_of, fold_of, read_references

BAD = 0.6
"""True Dice, mean of a scan's organs, below which a scan is bad."""
CHOICES: dict[str, tuple[str, ...]] = {
    "quality": FEATURES,
    "agreement alone": ("agreement",),
    "expected alone": ("expected",),
    "with components": ("agreement", "expected", "scattered"),
    "all features": CANDIDATES,
    "volume alone": ("unusual_volume",),
}


def evidence_of(case: str, image: Path, references: dict[str, Reference], modality: str, work: Path) -> Evidence:
    """The evidence of a case, kept in a file."""
    file = work / f"{case}.pkl"
    if not file.is_file():
        found = gather(read_scan(image, modality)[0], references)
        with atomic_path(file) as temporary:
            temporary.write_bytes(pickle.dumps(found))
    return pickle.loads(file.read_bytes())


def cells_of(benches: Iterable[Path], name: str) -> list[tuple[str, str, Path, Path]]:
    """Method, inference, folder of predictions and scores of each finished cell for a dataset."""
    found = []
    for bench in benches:
        for scores in sorted(bench.glob("cells/*/scores.csv")):
            for folder in sorted(scores.parent.glob(f"predictions/{name}_*")):
                found.append((f"{bench.name}", folder.name.removeprefix(f"{name}_"), folder, scores))
    return found


def measure(dataset: RawDataset, number: int, benches: Sequence[Path], work: Path) -> pd.DataFrame:
    """A row for each method, test case and organ: true Dice, and each estimate with its interval."""
    modality = dataset.channels[0]
    fold = fold_of(dataset, number)
    files = files_of(dataset, annotated_cases(dataset, fold))
    references, notes = read_references(files, dataset)
    print(*notes, sep="\n")
    samples, seen = Samples(CANDIDATES), {}
    for seed, (case, reference) in enumerate(references.items()):
        others = without_patient(references, reference.patient)
        seen[case] = evidence_of(case, files[case][0], others, modality, work)
        samples.add(reference, seen[case], (), seed)
    organs = list(dataset.labels)[1:]
    cells = cells_of(benches, dataset.name)
    shares = {
        (method, inference, case): read_shares(folder / f"{case}{dataset.ending}", dataset.labels).shares
        for method, inference, folder, _ in cells
        for case in dataset.cases(TEST)
    }
    sure = probabilities(dataset, number, benches, work)
    for case in dataset.cases(TEST):
        seen[case] = evidence_of(case, dataset.images(TEST, case)[0], references, modality, work)
    rows = []
    for method, inference, _, scores in cells:
        own = _own_validation(benches, method, dataset, fold.val)
        estimators = {name: _estimator(samples, columns, own, references, seen) for name, columns in CHOICES.items()}
        table = pd.read_csv(scores)
        table = table[(table["dataset"] == dataset.name) & (table["inference"] == inference)]
        truth = {(row.case, row.organ): row.dice for row in table.itertuples()}
        for case in dataset.cases(TEST):
            evidence = seen[case]
            numbers = features(shares[method, inference, case], evidence, CANDIDATES)
            partners = [key for key in shares if key[0] != method and key[1:] == (inference, case)]
            for k, organ in enumerate(organs, 1):
                row: dict[str, Any] = {
                    "modality": modality,
                    "method": method,
                    "inference": inference,
                    "case": case,
                    "organ": organ,
                }
                row["dice"] = truth[case, organ]
                for name, estimator in estimators.items():
                    chosen = [CANDIDATES.index(column) for column in CHOICES[name]]
                    value = estimator.estimate(numbers[k - 1 : k, chosen])
                    (row[name],), ends = value, estimator.interval(value, evidence.likeness)
                    row[f"{name} low"], row[f"{name} high"] = (float(end[0]) for end in ends)
                here = shares[method, inference, case][k]
                row["other trainings"] = float(np.mean([dice(here, shares[key][k]) for key in partners]))
                if inference == "segmentation":
                    row["softmax"] = sure.get((method, case, k), np.nan)
                rows.append(row)
    return pd.DataFrame(rows)


def _own_validation(
    benches: Iterable[Path], method: str, dataset: RawDataset, cases: Sequence[str]
) -> dict[str, list[np.ndarray]]:
    """A method's predictions of validation cases, from ``val/ID_INFERENCE`` in its folder where it has one."""
    found: dict[str, list[np.ndarray]] = {}
    for bench in benches:
        for folder in sorted(bench.glob(f"val/{dataset.id}_*")) if bench.name == method else ():
            for case in cases:
                file = folder / f"{case}{dataset.ending}"
                if file.is_file():
                    found.setdefault(case, []).append(read_shares(file, dataset.labels).shares)
    return found


def _estimator(
    samples: Samples,
    columns: tuple[str, ...],
    own: dict[str, list[np.ndarray]],
    references: dict[str, Reference],
    seen: dict[str, Evidence],
) -> Estimator:
    chosen = Samples(columns)
    keep = [CANDIDATES.index(column) for column in columns]
    chosen.features = [row[keep] for row in samples.features]
    chosen.dice, chosen.patients, chosen.real = list(samples.dice), list(samples.patients), list(samples.real)
    chosen.likeness = list(samples.likeness)
    for case, predicted in own.items():
        for shares in predicted:
            chosen.add_one(references[case], seen[case], shares, is_real=True)
    return chosen.fit()


def probabilities(
    dataset: RawDataset, number: int, benches: Iterable[Path], work: Path
) -> dict[tuple[str, str, int], float]:
    """Expected Dice under a model's own softmax, by method, case and label, kept in a file."""
    file = work / f"softmax_{dataset.id}.pkl"
    if file.is_file():
        return pickle.loads(file.read_bytes())
    found = {}
    for bench in benches:
        for folder in sorted(bench.glob(f"models/{dataset.name}/*")):
            model = Model.load(folder, number)
            for case in dataset.cases(TEST):
                image = sitk.ReadImage(str(dataset.images(TEST, case)[0]))
                sure = model.uncertainty(image, branches=["segmentation"]).probabilities
                labels = sure.argmax(0)
                for k in range(1, len(sure)):
                    found[bench.name, case, k] = expected_dice(sure[k], labels == k)
    with atomic_path(file) as temporary:
        temporary.write_bytes(pickle.dumps(found))
    return found


def summary(table: pd.DataFrame, name: str) -> dict[str, object]:
    """Agreement of one estimate with the truth."""
    known = table[table[name].notna()]
    error = known[name] - known["dice"]
    organs = [group[name].corr(group["dice"]) for _, group in known.groupby("organ")]
    scans = known.groupby(["method", "inference", "case"])[["dice", name]].mean()
    bad, order = scans["dice"] < BAD, scans[name].rank(method="first")
    count = max(int(np.ceil(len(scans) / 4)), int(bad.sum()))
    row: dict[str, object] = {
        "estimate": name,
        "scans": len(scans),
        "MAE": round(error.abs().mean(), 3),
        "bias": round(error.mean(), 3),
        "r": round(known[name].corr(known["dice"]), 2),
        "r by organ": " ".join(f"{value:.2f}" for value in organs),
        "r of scans": round(scans[name].corr(scans["dice"]), 2),
        "bad": int(bad.sum()),
        "found": round(float((order[bad] <= count).mean()), 2) if bad.any() else "",
    }
    if f"{name} low" in known:
        held = (known[f"{name} low"] <= known["dice"]) & (known["dice"] <= known[f"{name} high"])
        row["held"] = round(held.mean(), 2)
        row["width"] = round((known[f"{name} high"] - known[f"{name} low"]).mean(), 2)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="+", type=Path)
    parser.add_argument("-d", nargs="+", type=int, required=True)
    parser.add_argument("-f", "--fold", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    for number in args.d:
        table = measure(RawDataset.load(number), args.fold, args.benches, args.work)
        table.to_csv(args.work / f"quality_{number}.csv", index=False)
        print(f"{number}:")
        names = [*CHOICES, "other trainings", "softmax"]
        print(pd.DataFrame([summary(table, name) for name in names]).to_string(index=False))


if __name__ == "__main__":
    main()
