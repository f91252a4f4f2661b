"""``mass_nnunet convert DATASET SRC -d ID``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mass_nnunet.errors import UserError

from .archive import opened
from .datasets import amos, btcv, chaos, mmwhs, nifti
from .joining import join_dataset, joins
from .raw_dataset import Options, write_dataset
from .source import Target

SOURCES = {
    module.NAME: (module, text)
    for module, text in (
        (btcv, "BTCV: abdominal CT"),
        (chaos, "CHAOS: abdominal MRI, and CT as scans without labels"),
        (amos, "AMOS22: abdominal CT and MRI"),
        (mmwhs, "MM-WHS: cardiac CT and MRI"),
        (nifti, "any folder of NIfTI scans, and one of label maps"),
    )
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert``."""
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    for name, (module, text) in SOURCES.items():
        sub = datasets.add_parser(name, help=text, description=module.__doc__)
        sub.add_argument(
            "source",
            type=Path,
            metavar="SRC",
            help="the dataset as downloaded: a folder, zip archives in it, or one zip",
        )
        module.add_arguments(sub)
        sub.add_argument(
            "--test-fraction",
            type=float,
            default=0.2,
            help="share of labelled patients to test on, if SRC has no such part (0.2)",
        )
        sub.add_argument("--seed", type=int, default=0, help="of the choice of test patients")
        sub.add_argument(
            "--keep-partial",
            action="store_true",
            help="use labels that lack an organ, which is then background (default: use such a scan unlabelled)",
        )
        sub.add_argument(
            "--exclude", nargs="+", default=[], metavar="CASE", help="cases to leave out, such as btcv_0007"
        )
        sub.add_argument("-np", "--processes", type=int, default=2, help="worker processes (2)")


def run(args: argparse.Namespace) -> None:
    """Convert, and print what was written and what was found."""
    if not 0 <= args.test_fraction < 1:
        raise UserError(f"--test-fraction {args.test_fraction} is not at least 0 and below 1")
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    options = Options(
        test_fraction=args.test_fraction,
        seed=args.seed,
        keep_partial=args.keep_partial,
        processes=args.processes,
    )
    module, _ = SOURCES[args.dataset]
    with opened(args.source) as source:
        for target in without(module.targets(source, args), args.exclude):
            print(join_dataset(target, options) if joins(target) else write_dataset(target, options))


def without(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """The datasets, less some cases.

    Raises:
        UserError: there is no case of one of the names, or nothing is left of a dataset.
    """
    known = [case.name for target in targets for case in target.cases]
    if strangers := sorted(set(names) - set(known)):
        raise UserError(f"--exclude {strangers[0]}: there is no case of that name, but {known[0]} and others")
    targets = [target._replace(cases=[case for case in target.cases if case.name not in names]) for target in targets]
    if empty := [target.name for target in targets if not target.cases]:
        raise UserError(f"--exclude leaves nothing of {empty[0]}: name fewer cases")
    return targets
