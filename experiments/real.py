"""MASSTrainer, its rivals and its controls on two real pairs: three draws, each with another third to test on.

    python experiments/real.py work ../shared/data                          # small, for two cores
    python experiments/real.py work ../shared/data --size full --stock      # for a GPU
    python experiments/real.py work ../shared/data --pair heart --draws 0   # a part of it

The same command goes on after an interruption.

The pairs are those of real_draws.py. Each draw is a grid of `mass_nnunet benchmark`, ``work/PAIR/drawN``; the lowest
label rates of all draws come first. When a label rate of a draw is done, the scores of all draws are pooled in
``work/PAIR/pooled``, where every scan is tested once, and a report without pictures is written there: its tests are
paired over all patients.

The lowest label rate is 0.15 of the training patients, which are two CTs, and one or two MRIs: 0.1 would be one CT.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from groups import nnunet_folders
from mass_nnunet.benchmark.report.document import write_report
from mass_nnunet.benchmark.run.entries import Method
from mass_nnunet.benchmark.run.grid import DEVICES, Grid, save_grid
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.runner import report_failures, run_local
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.hyperparameters import INFERENCES
from pooling import pool
from real_draws import PAIRS, SIZES, prepare
from real_pair import DRAWS
from stock_plans import plan_stock

METHODS = (
    "SupervisedTrainer",
    "SingleModalityTrainerOrganContrast",
    "PooledTrainerOrganContrast",
    "DualStreamTrainerOrganContrast",
    "SelfTrainingTrainerOrganContrast",
    "CPSTrainerOrganContrast",
    "BCPTrainerOrganContrast",
    "UniMatchTrainerOrganContrast",
    "MMKDTrainerOrganContrast",
    "TCSMTrainerOrganContrast",
    "DTCTrainerOrganContrast",
    "MASSTrainerNoAtlas",
    "MASSTrainer",
)
"""Stock nnU-Net on the group's plans, and controls and rivals with the augmentation of MASSTrainer."""
LONGER = 5
"""Times as many steps in a run of ``--long``."""


def grid_of(name: str, number: int, args: argparse.Namespace) -> Grid:
    """The grid of a draw. Variants of ``--stock`` and ``--long`` are among its methods."""
    size = SIZES[args.size]
    variants = []
    if args.stock:
        variants.append(Method("stock", "nnUNetTrainer", "nnUNetPlans", "3d_fullres"))
    for method in args.long:
        if method == "stock":
            epochs = LONGER * size.epochs
            variants.append(Method("stock_long", "nnUNetTrainer", "nnUNetPlans", "3d_fullres", epochs))
        else:
            variants.append(Method(f"{method}_long", method, "MASSPlansLong", "3d_fullres"))
    return Grid(
        datasets=PAIRS[name].ids(number),
        methods=(*args.methods, *(variant.name for variant in variants)),
        label_rates=tuple(sorted(args.label_rates)),
        seeds=tuple(range(args.seeds)),
        output=args.root / name / f"draw{number}",
        device=args.device or size.device,
        inference=tuple(args.inference),
        note=f"Draw {number} of {DRAWS}, each tested on another third of the patients.",
        variants=tuple(variants),
    )


def write_long_plans(grid: Grid) -> None:
    """Write plans of more epochs beside those of each dataset; their preprocessed scans are the same."""
    for number in grid.datasets:
        folder = dataset_folder("preprocessed", number)
        plans = read_json(folder / "MASSPlans.json", "plan again")
        mass = plans["mass"] | {"epochs": LONGER * plans["mass"]["epochs"]}
        write_json(folder / "MASSPlansLong.json", plans | {"plans_name": "MASSPlansLong", "mass": mass})


def run_draws(name: str, args: argparse.Namespace) -> None:
    """Prepare and run all draws of a pair; pool and report after each label rate of each draw."""
    grids = {}
    with nnunet_folders(args.root / name):
        for number in args.draws:
            prepare(name, number, args)
            grids[number] = grid = grid_of(name, number, args)
            if args.stock or "stock" in args.long:
                plan_stock([RawDataset.load(ident) for ident in grid.datasets], args.np)
            if any(variant.plans == "MASSPlansLong" for variant in grid.variants):
                write_long_plans(grid)
            save_grid(grid)
        if args.prepare_only:
            return
        # Rate by rate, so that an early stop leaves complete comparisons.
        for rate, number in product(sorted(args.label_rates), args.draws):
            jobs = make_jobs(replace(grids[number], label_rates=(rate,)))
            run_local(jobs, args.jobs, retries=1)
            report_failures(jobs)
            report_pooled(list(grids.values()), args.root / name / "pooled")


def report_pooled(grids: Sequence[Grid], output: Path) -> None:
    """Pool the scores of the draws, and write the report of all."""
    pooled = pool(grids, output)
    write_report(pooled, output / "report.html", pictures=False)
    print(f"wrote {output / 'report.html'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder for data, models and scores")
    parser.add_argument("source", type=Path, help="shared/data")
    parser.add_argument("--pair", nargs="+", default=tuple(PAIRS), choices=tuple(PAIRS))
    parser.add_argument("--draws", type=int, nargs="+", default=tuple(range(DRAWS)), choices=range(DRAWS))
    parser.add_argument("--size", default="small", choices=tuple(SIZES))
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--stock", action="store_true", help="also stock nnU-Net on its own plans, of the same steps")
    parser.add_argument(
        "--long", nargs="+", default=(), metavar="METHOD", help=f"methods, or stock, also with {LONGER} times the steps"
    )
    parser.add_argument("--inference", nargs="+", default=INFERENCES, choices=INFERENCES)
    parser.add_argument("--label-rates", type=float, nargs="+", default=(0.15, 0.25, 0.5, 1.0))
    parser.add_argument(
        "--unlabelled", type=int, choices=(0, 1), help="hide all labels of the first or the second modality of the pair"
    )
    parser.add_argument("--seeds", type=int, default=1, help="random choices of the annotated scans in each draw")
    parser.add_argument("--device", choices=DEVICES, help="default: that of the size")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("-np", type=int, default=2, help="processes that preprocess")
    parser.add_argument("--prepare-only", action="store_true", help="only convert, split and plan")
    args = parser.parse_args()
    args.root, args.source = args.root.resolve(), args.source.resolve()
    if (args.device or SIZES[args.size].device) == "cpu":
        # Two trainings with a thread for each core would take four times as long.
        os.environ |= {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0", "nnUNet_n_proc_DA": "0"}
    with exit_on_user_error():
        for name in args.pair:
            run_draws(name, args)


if __name__ == "__main__":
    main()
