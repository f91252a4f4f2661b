"""MASSTrainer and its controls at few labels: one schedule for all, every test patient once, a table with paired tests.

    python experiments/low_label.py work --real ../shared/data/chaos_t2_mr          # small, for a CPU
    python experiments/low_label.py work_full --real ../shared/data/chaos_t2_mr \\
        --patch-size 32 256 256 --size 32 256 256 --features 32 --epochs 200 --iterations 250 --device cuda

The trainings are cells of `mass_nnunet benchmark` (mass_nnunet/benchmark/). If it is started again with the same
options, the script continues; after --prepare-only, several may run at a time. The data, the models and
the scores lie in the folder. The table is printed after each seed of each group and written to table.md;
`mass_nnunet benchmark report work/phantom/benchmark` makes a page of a group.
"""

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path

from groups import IDS, PHANTOM, nnunet_folders, prepare, rates_of
from mass_nnunet import trainers
from mass_nnunet.benchmark.run.grid import DEVICES, Grid, save_grid
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.runner import report_failures, run_local
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.hyperparameters import INFERENCES
from table import OUTPUT, write_table

DEFAULT_METHODS = (
    "SupervisedTrainer",
    "DualStreamTrainer",
    "DualStreamTrainerOrganContrast",
    "MASSTrainerNoAtlas",
    "MASSTrainer",
)


def grid_of(group: Path, args: argparse.Namespace) -> Grid:
    """The grid of a group. The synthetic CT beside real MRI is not tested, because the phantom's group tests it."""
    return Grid(
        datasets=tuple(int(ident) for ident in (IDS if group.name == PHANTOM else IDS[1:])),
        methods=tuple(args.methods),
        label_rates=rates_of(group, args),
        seeds=tuple(range(args.seeds)),
        output=group / OUTPUT,
        device=args.device,
        inference=tuple(args.inference),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder for data, models and scores")
    parser.add_argument("--real", type=Path, help="shared/data/chaos_t2_mr; without it only the phantom is run")
    parser.add_argument("--methods", nargs="+", default=DEFAULT_METHODS, choices=sorted(trainers.__all__))
    parser.add_argument("--inference", nargs="+", default=INFERENCES, choices=INFERENCES)
    parser.add_argument(
        "--label-rates", type=float, nargs="+", default=(0.1, 0.25, 0.5, 1.0), help="some of them, once they are split"
    )
    parser.add_argument(
        "--real-label-rates", type=float, nargs="+", default=(0.15,), help="default: 0.15, 2 of the 11 real MRIs"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train-scans", type=int, default=20, help="synthetic scans of each modality")
    parser.add_argument("--val-scans", type=int, default=2)
    parser.add_argument("--test-scans", type=int, default=12)
    parser.add_argument("--size", type=int, nargs=3, default=(32, 128, 128), help="of synthetic scans, voxels z y x")
    parser.add_argument("--phantom-seed", type=int, default=0, help="another one makes other patients")
    parser.add_argument("--patch-size", type=int, nargs=3, default=(16, 48, 48))
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--device", default="cpu", choices=DEVICES)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("-np", type=int, default=2, help="processes that make scans and preprocess")
    parser.add_argument("--prepare-only", action="store_true", help="only make the phantom, convert, split and plan")
    args = parser.parse_args()
    with exit_on_user_error():
        groups = prepare(args.root.resolve(), args)
        if args.prepare_only:
            return
        grids = [grid_of(group, args) for group in groups]
        for grid in grids:
            save_grid(grid)
        # Seed by seed, so that an early stop leaves complete comparisons.
        for seed, (group, grid) in product(range(args.seeds), zip(groups, grids, strict=True)):
            with nnunet_folders(group):
                jobs = make_jobs(replace(grid, seeds=(seed,)))
                run_local(jobs, args.jobs, retries=1)
                report_failures(jobs)
            print(write_table(groups, args.root))


if __name__ == "__main__":
    main()
