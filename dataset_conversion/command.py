"""``mass_nnunet convert btcv|chaos SRC -d ID``."""

import argparse
from pathlib import Path

from mass_nnunet.errors import UserError

from . import btcv, chaos
from .raw_dataset import dataset_path, write_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert``."""
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    for module, text in ((btcv, "abdominal CT"), (chaos, "abdominal MRI")):
        sub = datasets.add_parser(module.NAME.lower(), help=text, description=module.__doc__.splitlines()[0])
        sub.add_argument("source", type=Path, metavar="SRC", help="folder that the dataset was unpacked into")
        sub.add_argument("-d", "--dataset-id", type=int, required=True, metavar="ID", help="nnU-Net dataset id")
        sub.add_argument("--test-fraction", type=float, default=0.2, help="share of labelled patients to test on")
        sub.add_argument("--seed", type=int, default=0, help="of the choice of test patients")
        sub.add_argument("-np", "--processes", type=int, default=2, help="worker processes")
        if module is chaos:
            sub.add_argument(
                "--sequences", nargs="+", choices=chaos.SEQUENCES, default=["T2SPIR"], help="default: T2SPIR"
            )


def run(args: argparse.Namespace) -> None:
    """Convert, and print what was written."""
    if not 0 <= args.test_fraction < 1:
        raise UserError(f"--test-fraction {args.test_fraction} is not at least 0 and below 1")
    if not 0 < args.dataset_id < 1000:
        raise UserError(f"-d {args.dataset_id} is not between 1 and 999")
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    if args.dataset == "btcv":
        module, cases = btcv, btcv.find_cases(args.source)
    else:
        module, cases = chaos, chaos.find_cases(args.source, tuple(dict.fromkeys(args.sequences)))
    summary = write_dataset(
        dataset_path(args.dataset_id, module.NAME),
        cases,
        channel=module.CHANNEL,
        test_fraction=args.test_fraction,
        seed=args.seed,
        processes=args.processes,
    )
    print(summary)
