"""MASSTrainer, its rivals and its controls on two real pairs: three draws, each with another third to test on.

    python experiments/real.py work ../shared/data                          # small, for two cores
    python experiments/real.py work ../shared/data --size full --stock      # for a GPU
    python experiments/real.py work ../shared/data --pair heart --draws 0   # a part of it

The same command goes on after an interruption.

``abdomen`` is BTCV CT with CHAOS T2. ``heart`` is bSSFP with LGE of MS-CMRSeg, each of other patients, in which slices
at the ends that nobody annotated are ignored. Each draw is a grid of `mass_nnunet benchmark`, ``work/PAIR/drawN``; the
lowest label rates of all draws come first. When a label rate of a draw is done, the scores of all draws are pooled in
``work/PAIR/pooled``, where every scan is tested once, and a report without pictures is written there: its tests are
paired over all patients.

The lowest label rate is 0.15 of the training patients, which are two CTs, and one or two MRIs: 0.1 would be one CT.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from chaos_t2 import find_cases as find_mris
from chaos_t2 import numbered_cases
from groups import nnunet_folders
from mass_nnunet.benchmark.report.document import write_report
from mass_nnunet.benchmark.run.entries import Method
from mass_nnunet.benchmark.run.grid import DEVICES, Grid, save_grid
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.runner import report_failures, run_local
from mass_nnunet.cli import main as mass_nnunet
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.dataset_conversion.datasets import btcv, chaos
from mass_nnunet.dataset_conversion.pose import usual_pose
from mass_nnunet.dataset_conversion.raw_dataset import ConversionOptions, write_dataset
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.labels import LABELS, number_labels
from pooling import pool
from real_pair import DRAWS, draw, find_cts
from stock_plans import plan_stock

HEART = number_labels(["myocardium", "left_ventricle", "right_ventricle"])
HEART_REFERENCE = "Zhuang, Multivariate mixture model for myocardial segmentation, IEEE TPAMI 2019 (MS-CMRSeg 2019)"
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
_UNMARKED = 5
"""Distance of the id of a heart dataset from that of the one in which ends of scans are ignored."""


@dataclass(frozen=True)
class Part:
    """One of the two datasets of a pair."""

    name: str
    channel: str
    labels: Mapping[str, int]
    find: Callable[[Path], list[NiftiCase]]
    licence: str | None
    reference: str | None


@dataclass(frozen=True)
class Pair:
    """Two datasets of different patients."""

    first_id: int
    parts: tuple[Part, Part]
    ignores_ends: bool

    def ids(self, number: int) -> tuple[int, int]:
        """Dataset ids of a draw."""
        return self.first_id + 10 * number, self.first_id + 10 * number + 1


@dataclass(frozen=True)
class Size:
    """Options of ``mass_nnunet plan`` for each pair, and the device."""

    abdomen: str
    heart: str
    epochs: int
    iterations: int
    device: str


_TINY = "--spacing fit --patch-size 8 16 16 --features 4"
SIZES = {
    "small": Size(
        "--spacing 7.7 3.6 3.6 --patch-size 32 96 96 --features 8",
        "--spacing native --patch-size 16 96 96 --features 8",
        24,
        50,
        "cpu",
    ),
    "full": Size("--spacing native", "--spacing native", 200, 250, "cuda"),
    "tiny": Size(_TINY, _TINY, 1, 1, "cpu"),
}
"""``tiny`` is for the tests of this script."""


def find_hearts(sequence: str, remainder: int) -> Callable[[Path], list[NiftiCase]]:
    """A function that finds the scans of a sequence, of every second patient: the two sequences share none."""

    def find(source: Path) -> list[NiftiCase]:
        folder = source / "cardiac_mr" / sequence
        cases = numbered_cases(folder, "heart", {value: value for value in HEART.values()}, f"_{sequence}")
        return [case for case in cases if int(case.patient.rpartition("_")[2]) % 2 == remainder]

    return find


PAIRS = {
    "abdomen": Pair(
        801,
        (
            Part("BTCV", "CT", LABELS, lambda src: find_cts(src / "btcv_ct"), btcv.LICENCE, btcv.REFERENCE),
            Part("CHAOS", "MRI", LABELS, lambda src: find_mris(src / "chaos_t2_mr"), chaos.LICENCE, chaos.REFERENCE),
        ),
        False,
    ),
    "heart": Pair(
        831,
        (
            Part("bSSFP", "bSSFP", HEART, find_hearts("bSSFP", 0), None, HEART_REFERENCE),
            Part("LGE", "LGE", HEART, find_hearts("LGE", 1), None, HEART_REFERENCE),
        ),
        True,
    ),
}


def prepare(name: str, number: int, args: argparse.Namespace) -> None:
    """Write, split and plan the datasets of a draw, unless that is done. nnU-Net's folders are set.

    Raises:
        UserError: there are too few scans, or the draw was planned with other options.
    """
    pair, ids = PAIRS[name], [str(ident) for ident in PAIRS[name].ids(number)]
    size = SIZES[args.size]
    schedule = ["--epochs", str(size.epochs), "--iterations", str(size.iterations)]
    asked = [*getattr(size, name).split(), *schedule, *map(str, (*args.label_rates, args.seeds))]
    done = args.root / name / f"draw{number}" / "planned.json"
    if done.exists():
        if read_json(done, "name another folder") != asked:
            raise UserError(f"{done.parent} was planned with other options: name another folder")
        return
    for part, ident in zip(pair.parts, pair.ids(number), strict=True):
        _write(pair, part, ident, number, args.source)
    # One patient to validate on: nnU-Net needs one, and there are few patients.
    rates = ["--label-rates", *map(str, args.label_rates), "--seeds", str(args.seeds)]
    _run("split", "-d", *ids, *rates, "--val-fraction", "0.01")
    _run("plan", "-d", *ids, *getattr(size, name).split(), *schedule, "-np", str(args.np))
    write_json(done, asked)


def _write(pair: Pair, part: Part, ident: int, number: int, source: Path) -> None:
    """Write a dataset of a draw: a third of the patients is in its test part."""
    cases = part.find(source)
    if len(cases) < 2 * DRAWS:
        raise UserError(f"{source} has {len(cases)} scans of {part.name}: name the folder shared/data")
    shift = _UNMARKED if pair.ignores_ends else 0
    pose = usual_pose([case.image for case in cases])
    labels = dict(part.labels)
    target = Target(
        ident + shift, part.name, part.channel, labels, draw(cases, number), part.licence, part.reference, pose=pose
    )
    print(write_dataset(target, ConversionOptions()))
    if pair.ignores_ends and not (dataset_folder("raw", ident + shift).parent / f"Dataset{ident}_{part.name}").exists():
        _run("relabel", "-d", str(ident + shift), "--ignore-ends", "--to", str(ident), "--name", part.name)


def _run(*words: str) -> None:
    """Run one command of ``mass_nnunet``.

    Raises:
        SystemExit: it failed and has printed the reason.
    """
    if status := mass_nnunet([*words]):
        raise SystemExit(status)


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
