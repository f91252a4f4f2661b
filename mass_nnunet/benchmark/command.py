"""``mass_nnunet benchmark``: run a grid of trainings, show its state, and report its results."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mass_nnunet.errors import UserError

from .run.grid import load_grid, save_grid
from .run.job import Job
from .run.state import is_open
from .run.status import describe_progress

_EPILOG = """\
A grid is a YAML file:

    datasets: [801, 802]
    methods: [SupervisedTrainer, DualStreamTrainer, MASSTrainer]    # or {trainer: nnUNetTrainer, plans: nnUNetPlans,
                                                                    # name: stock}: any trainer that nnU-Net finds
    label_rates: [0.1, 0.5]
    seeds: [0, 1, 2]
    output: benchmark                # beside this file
    plans: MASSPlans                 # this and the following are the defaults
    configuration: 3d_fullres
    device: cuda
    inference: [segmentation]        # also adapted, atlas, fused, for the methods that have them
    note: ""                         # the first sentence of the report
    external: {}                     # predictions of other tools: {TotalSegmentator: folder}, with a subfolder
                                     # Dataset801_NAME for each dataset

A cell is one training with its predictions and scores. Any number of workers does the cells, on any machine that has
the output folder. A cell that is done is not repeated, and one that was interrupted continues.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet benchmark``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, act, text in (
        ("run", _run, "train, predict and score all cells that are not done"),
        ("status", _status, "show which cells are done, running, failed or waiting, and the time left"),
        ("report", _report, "write an HTML page of the results, and its tables and figures beside it"),
    ):
        action = actions.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_argument("grid", type=Path, metavar="GRID.yaml", help="the grid, or its output folder after a run")
        action.set_defaults(act=act)
        if name == "run":
            _add_run_options(action)
        if name == "report":
            action.add_argument(
                "-o",
                "--output",
                type=Path,
                metavar="FILE.html",
                help="default report.html in the output folder",
            )
            action.add_argument(
                "--reference",
                metavar="METHOD",
                help="method that all others are tested against (default: the best of each column)",
            )
            action.add_argument(
                "--no-pictures",
                action="store_true",
                help="show no scan, for data that must not be shown: neither on the page nor in its folder",
            )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--executor",
        choices=("local", "slurm"),
        default="local",
        help="this machine or a cluster (default local)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="cells at a time (default: 1 on this machine; no limit with SLURM)"
    )
    parser.add_argument(
        "--slurm",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="options of submitit, such as timeout_min=1440 gpus_per_node=1 mem_gb=32 slurm_partition=gpu",
    )
    parser.add_argument("--retries", type=int, default=1, help="repetitions of a cell that failed (default 1)")
    parser.add_argument("--dry-run", action="store_true", help="only print the commands of the cells")


def run(args: argparse.Namespace) -> None:
    """Run the action that was chosen."""
    args.act(args)


def _status(args: argparse.Namespace) -> None:
    print(describe_progress(load_grid(args.grid)))


def _run(args: argparse.Namespace) -> None:
    from .run.lookup import make_jobs
    from .run.runner import report_failures, run_local

    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs} is too few: give 1 or more")
    if args.retries < 0:
        raise UserError(f"--retries {args.retries} is negative: give 0 or more")
    options = _slurm_options(args.slurm)
    grid = load_grid(args.grid)
    jobs = make_jobs(grid)
    if args.dry_run:
        _print_commands(jobs)
        return
    save_grid(grid)
    if args.executor == "slurm":
        _submit(jobs, args, options)
    else:
        _check_device(grid.device)
        try:
            run_local(jobs, args.jobs or 1, args.retries)
        except UserError:
            print(describe_progress(grid))
            raise
        print(describe_progress(grid))
        report_failures(jobs)


def _report(args: argparse.Namespace) -> None:
    from mass_nnunet.reporting.html import check_page

    from .report.document import write_report

    grid = load_grid(args.grid)
    path = args.output or grid.output / "report.html"
    check_page(path)
    results = write_report(grid, path, args.reference, pictures=not args.no_pictures)
    done, cells = len(results.done), len(results.states)
    print(f"wrote {path} from {done} of {cells} cells ({path.stat().st_size / 2**20:.1f} MiB)")


def _print_commands(jobs: Sequence[Job]) -> None:
    from .run.shell import commands, exports

    print("\n".join(exports(jobs[0])))
    for job in jobs:
        print("\n" + "\n".join(commands(job)))


def _submit(jobs: Sequence[Job], args: argparse.Namespace, options: dict[str, Any]) -> None:
    from .run.slurm import CellTask, submit

    tasks = [
        CellTask(job, args.retries) for job in jobs if is_open(job.folder, args.retries, job.inferences, job.inputs)
    ]
    if args.jobs is not None:
        options["slurm_array_parallelism"] = args.jobs
    if tasks:
        submitted = submit(tasks, options)
        print(f"submitted {len(tasks)} jobs, {submitted[0].job_id} and on: see `mass_nnunet benchmark status`")
    else:
        print("nothing is left to do")


def _slurm_options(words: Sequence[str]) -> dict[str, Any]:
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"--slurm {word} has no value: give it as KEY=VALUE")
        options[key] = yaml.safe_load(value)
    return options


def _check_device(device: str) -> None:
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available[device]:
        raise UserError(f"there is no {device} on this machine: set `device: cpu` in the grid, or use another machine")
