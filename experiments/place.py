"""What predictions put where no organ is, and what they would be worth with an oracle of place.

    python experiments/place.py OUTPUT [OUTPUT ...] [--reference METHOD [--by INFERENCE]]

Each OUTPUT is the output folder of a benchmark. A row is one method, seed, inference and modality: mean Dice and HD95
of the test scans, the predicted organs in slices that hold none (ml a scan), and the mean Dice without these slices.
With a reference, a method, further tables have the paired tests of the others over the patients of all draws: the same
inference of both, or each of the others' against the one of the reference that is named.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from mass_nnunet.benchmark.run.scoring import SCORES
from mass_nnunet.data.paths import base_folder
from mass_nnunet.evaluation.statistics import compare_all
from mass_nnunet.hyperparameters import INFERENCES

SHOWN = ["dice", "hd95", "false ml a scan", "dice, oracle"]


def label_map(file: Path) -> tuple[np.ndarray, float]:
    """Labels (Z, Y, X), slices first, and the volume of a voxel in ml."""
    image = sitk.ReadImage(str(file))
    return sitk.GetArrayFromImage(image), float(np.prod(image.GetSpacing())) / 1000


def without_organs(prediction: Path, truth: Path) -> pd.DataFrame:
    """For each organ of a scan the volume predicted in slices that hold no organ, and the Dice without them."""
    predicted, voxel = label_map(prediction)
    true, _ = label_map(truth)
    free = ~true.any(axis=(1, 2))
    elsewhere = voxel * np.count_nonzero(predicted[free])
    predicted[free] = 0
    rows = []
    for organ in range(1, int(true.max()) + 1):
        p, t = predicted == organ, true == organ
        rows.append({"label": organ, "false ml": elsewhere, "oracle": 2 * (p & t).sum() / (p.sum() + t.sum())})
    return pd.DataFrame(rows)


def measure(cell: Path, scores: pd.DataFrame) -> pd.DataFrame:
    """One row for each inference and dataset of a cell with these scores."""
    rows = []
    for (method, seed, inference, modality, dataset), part in scores.groupby(
        ["method", "seed", "inference", "modality", "dataset"]
    ):
        folder, truth = cell / "predictions" / f"{dataset}_{inference}", base_folder("raw") / dataset / "labelsTs"
        scans = [without_organs(folder / f"{case}.nii.gz", truth / f"{case}.nii.gz") for case in part["case"].unique()]
        false = float(np.mean([scan["false ml"].iloc[0] for scan in scans]))
        values = [part["dice"].mean(), part["hd95"].mean(), false, pd.concat(scans)["oracle"].mean()]
        named = {"dataset": dataset, "method": method, "seed": seed, "inference": inference, "modality": modality}
        rows.append(named | dict(zip(SHOWN, values, strict=True)))
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outputs", type=Path, nargs="+", metavar="OUTPUT")
    parser.add_argument("--reference", metavar="METHOD")
    parser.add_argument(
        "--by", choices=INFERENCES, metavar="INFERENCE", help="what the reference predicts by (default: as the others)"
    )
    args = parser.parse_args()
    files = [file for output in args.outputs for file in sorted(output.glob(f"cells/*/{SCORES}"))]
    scores = {file.parent: pd.read_csv(file, dtype={"case": str}) for file in files}
    show(pd.concat([measure(cell, table) for cell, table in scores.items()], ignore_index=True))
    if args.reference is not None:
        table = pd.concat(scores.values(), ignore_index=True)
        own = table["method"] == args.reference
        for inference, others in table[~own].groupby("inference"):
            reference = table[own & (table["inference"] == (args.by or inference))]
            tests = compare_all(pd.concat([others, reference]), "dice", args.reference, by=("modality",))
            show(tests.assign(inference=inference))


def show(table: pd.DataFrame) -> None:
    """Print a table."""
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"), end="\n\n")


if __name__ == "__main__":
    main()
