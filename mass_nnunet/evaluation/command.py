"""``mass_nnunet evaluate``: Dice and surface distances of a folder of predictions."""

import argparse
import math
from pathlib import Path

import pandas as pd

from mass_nnunet.data.files import atomic_path, read_json
from mass_nnunet.errors import UserError

from .scores import NSD, TOLERANCES, evaluate_folder, summarize

METRICS = {
    "dice": "Dice",
    "hd": "HD (mm)",
    "hd95": "HD95 (mm)",
    "assd": "ASSD (mm)",
    "volume_difference": "volume difference",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet evaluate``."""
    parser.add_argument("predictions", type=Path, help="folder of predicted label maps")
    parser.add_argument("truth", type=Path, help="folder of true label maps with the same names, such as labelsTs")
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        nargs="+",
        default=TOLERANCES,
        metavar="MM",
        help=f"of the normalized surface Dice, one or several (default {TOLERANCES[0]:g})",
    )
    parser.add_argument("--csv", type=Path, help="also write one row for each case and organ to this file")
    parser.add_argument("-np", "--processes", type=int, default=2, help="processes (default 2)")


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no distance in mm")
    return value


def find_dataset_json(predictions: Path, truth: Path) -> dict:
    """dataset.json, which nnUNetv2_predict puts beside its predictions, else that of the raw dataset.

    Raises:
        UserError: a folder does not exist, or neither of them has a dataset.json.
    """
    for folder in (predictions, truth):
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder: name the folder of the label maps")
    for file in (predictions / "dataset.json", truth.resolve().parent / "dataset.json"):
        if file.is_file():
            return read_json(file, "copy it from the raw dataset again")
    raise UserError(
        f"{predictions} has no dataset.json, nor has the folder above {truth}: copy it from the raw dataset"
    )


def metric_title(column: str) -> str:
    """How a measure among the scores is called; those in mm say so at the end."""
    return METRICS.get(column) or f"NSD {column.removeprefix(NSD)}"


def format_table(scores: pd.DataFrame) -> str:
    """One line an organ, mean ± sd of each metric; a column tells how many were missed, where any was."""
    columns = {}
    for metric in [*METRICS, *(column for column in scores if column.startswith(NSD))]:
        summary = summarize(scores, ["organ"], metric)
        title = metric_title(metric)
        digits = 1 if title.endswith("(mm)") else 3
        columns[title] = [f"{row.mean:.{digits}f} ± {row.sd:.{digits}f}" for row in summary.itertuples()]
    missed = summarize(scores, ["organ"], "hd95")
    columns["cases"] = missed["cases"].tolist()
    if missed["missed"].any():
        columns["not found"] = missed["missed"].tolist()
    return pd.DataFrame(columns, index=missed.index).to_string(index_names=False)


def run(args: argparse.Namespace) -> None:
    """Print the table of means, and write the rows where asked to."""
    dataset = find_dataset_json(args.predictions, args.truth)
    scores = evaluate_folder(
        args.predictions,
        args.truth,
        dataset["labels"],
        args.processes,
        dataset.get("file_ending", ".nii.gz"),
        sorted(set(args.tolerance)),
    )
    print(format_table(scores))
    print(f"mean Dice over all organs and cases: {scores['dice'].mean():.3f}")
    if args.csv:
        with atomic_path(args.csv) as temporary:
            scores.to_csv(temporary, index=False)
        print(f"wrote {args.csv}")
