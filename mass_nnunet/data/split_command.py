"""``mass_nnunet split``: write ``splits_final.json`` for every dataset of a group, the same folds for all of them."""

import argparse
from collections.abc import Sequence

from mass_nnunet.errors import UserError

from .files import write_json
from .paths import dataset_folder
from .raw import RawDataset
from .sampled_folds import make_folds
from .splits import SPLITS_JSON, Fold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet split``."""
    parser.add_argument("-d", type=int, nargs="+", required=True, metavar="ID", help="dataset ids, such as 801 802")
    parser.add_argument(
        "--label-rates",
        type=float,
        nargs="+",
        default=[0.1],
        metavar="RATE",
        help="shares of the training patients whose labels are used (default 0.1)",
    )
    parser.add_argument(
        "--unlabelled",
        type=int,
        nargs="+",
        default=[],
        metavar="ID",
        help="datasets of which all labels are hidden from training, as if all their scans were in imagesUn",
    )
    parser.add_argument(
        "--sparse",
        type=int,
        default=1,
        metavar="N",
        help="train as if only every N-th slice of the preprocessed scans were annotated; validation uses all slices "
        "(default 1: all slices)",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="number of random choices of the labelled patients (default 1)"
    )
    parser.add_argument(
        "--val-fraction",
        type=float,
        default=0.125,
        help="share of the patients of imagesTr to validate on (default 0.125: a tenth of all patients, as in the "
        "paper, if a fifth of them is in imagesTs)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the splits of all datasets, or of none if one of them is invalid, and print a table of the folds."""
    datasets = [RawDataset.load(dataset_id) for dataset_id in dict.fromkeys(args.d)]
    for dataset in datasets:
        if (dataset.folder / SPLITS_JSON).exists():
            # nnU-Net's planner copies this file to the preprocessed folder, and fails if the two differ.
            raise UserError(f"{dataset.folder / SPLITS_JSON} would be in conflict with the new splits: remove it")
    if unknown := set(args.unlabelled) - {dataset.id for dataset in datasets}:
        raise UserError(f"--unlabelled {min(unknown)} is not among the datasets of -d: name it there, too")
    options = (args.label_rates, args.seeds, args.val_fraction)
    folds = [
        make_folds(dataset, *options, unlabelled=dataset.id in args.unlabelled, sparse=args.sparse)
        for dataset in datasets
    ]
    if not any(fold.train for its_folds in folds for fold in its_folds):
        names = " and ".join(dataset.name for dataset in datasets)
        raise UserError(f"no scan of {names} has a label to train on: split them with a dataset that has labels")
    for dataset, its_folds in zip(datasets, folds, strict=True):
        path = dataset_folder("preprocessed", dataset.id) / SPLITS_JSON
        write_json(path, [fold.as_entry() for fold in its_folds])
        print(f"wrote {path}")
    print(table([dataset.name for dataset in datasets], folds))


def table(names: Sequence[str], folds: Sequence[Sequence[Fold]]) -> str:
    """Table of the folds, with the numbers of labelled/unlabelled/validation scans of each dataset.

    Args:
        names: names of the datasets.
        folds: folds of each dataset; those of one number have the same seed and label rate.
    """
    rows = [["fold", "seed", "labels", *names]]
    for number, same in enumerate(zip(*folds, strict=True)):
        counts = [f"{len(fold.train)}/{len(fold.unlabelled)}/{len(fold.val)}" for fold in same]
        rows.append([str(number), str(same[0].seed), f"{100 * same[0].label_rate:g} %", *counts])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(["", *lines, "", "scans: labelled/unlabelled/validation"])
