"""``mass_nnunet evaluate``: Dice and surface distances of a folder of predictions."""

import argparse
import math
import sys
from pathlib import Path

import pandas as pd

from mass_nnunet.data.annotated import read_annotated
from mass_nnunet.data.dataset_json import DATASET_JSON, read_dataset_json
from mass_nnunet.data.files import atomic_path, check_link
from mass_nnunet.data.label_map import check_same_labels
from mass_nnunet.errors import UserError

from .metrics import DICE, HD95, TOLERANCES, metrics_among
from .scores import Rules, evaluate_folder, summarize


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
        help=f"tolerances of the normalized surface Dice in mm, one or several (default {TOLERANCES[0]:g})",
    )
    parser.add_argument("--csv", type=Path, help="also write a row for each case and organ to this file")
    parser.add_argument("-np", "--processes", type=int, default=2, help="processes (default 2)")


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a distance in mm")
    return value


def find_dataset_json(predictions: Path, truth: Path) -> dict:
    """Content of the dataset.json that nnUNetv2_predict writes beside its predictions, or of the raw dataset's.

    The folder of ``truth`` may be a link: its dataset.json is beside the link or beside the folder. Where both folders
    have a dataset.json, a value has to mean the same in both.

    Raises:
        UserError: a folder does not exist, or there is no dataset.json, or it is wrong, or the two give one organ
            different values.
    """
    for folder in (predictions, truth):
        check_link(folder)
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder: give the folder of the label maps")
    files = [folder / DATASET_JSON for folder in (predictions, truth.absolute().parent, truth.resolve().parent)]
    found = [file for file in dict.fromkeys(files) if file.exists() or file.is_symlink()]
    if not found:
        raise UserError(
            f"{predictions} has no dataset.json, and neither has the folder of {truth}: copy it from the raw dataset"
        )
    content = _labelled(found[0])
    for other in found[1:]:
        try:
            their_labels = _labelled(other)["labels"]
        except UserError:  # of another form, as in the Medical Segmentation Decathlon: it tells no values
            continue
        for note in check_same_labels(found[0], content["labels"], other, their_labels):
            print(f"note: {note}", file=sys.stderr)
    return content


def _labelled(file: Path) -> dict:
    return read_dataset_json(file, "copy it from the raw dataset again", ["labels"])


def format_table(scores: pd.DataFrame) -> str:
    """A table with one row per organ: mean ± standard deviation of each metric, cases, and missed organs if any."""
    columns = {}
    for metric in metrics_among(scores):
        summary = summarize(scores, ["organ"], metric.column)
        columns[metric.title] = [f"{metric.text(row.mean)} ± {metric.text(row.sd)}" for row in summary.itertuples()]
    missed = summarize(scores, ["organ"], HD95.column)
    columns["cases"] = missed["cases"].tolist()
    if missed["missed"].any():
        columns["not found"] = missed["missed"].tolist()
    return pd.DataFrame(columns, index=missed.index).to_string(index_names=False)


def run(args: argparse.Namespace) -> None:
    """Print the table of means, and write the rows to ``--csv``."""
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    dataset = find_dataset_json(args.predictions, args.truth)
    annotated = read_annotated(args.truth.resolve().parent, dataset["labels"])
    rules = Rules(
        labels=dataset["labels"],
        tolerances=sorted(set(args.tolerance)),
        ending=dataset.get("file_ending", ".nii.gz"),
        annotated=annotated,
    )
    scores = evaluate_folder(args.predictions, args.truth, rules, args.processes)
    if args.csv:  # before anything is printed: whoever reads it may have stopped
        with atomic_path(args.csv) as temporary:
            scores.to_csv(temporary, index=False)
    print(format_table(scores))
    print(f"mean {DICE.title} over all organs and cases: {DICE.text(scores[DICE.column].mean())}")
    if args.csv:
        print(f"wrote {args.csv}")
