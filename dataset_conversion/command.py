"""``mass_nnunet convert DATASET SRC -d ID``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mass_nnunet.errors import UserError
from mass_nnunet.phantom import folder as phantom

from .archive import opened
from .converter import Converter
from .datasets import amos, btcv, chaos, dicom, mmwhs, nifti, totalsegmentator
from .joining import join_dataset, joins
from .raw_dataset import ConversionOptions, write_dataset
from .source import Target

CONVERTERS: tuple[Converter, ...] = (btcv, chaos, amos, mmwhs, totalsegmentator, nifti, dicom)
"""All datasets that can be converted: a new one is a module of ``datasets/`` and its name here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert``."""
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    for converter in CONVERTERS:
        sub = datasets.add_parser(converter.NAME, help=converter.TITLE, description=converter.__doc__)
        sub.add_argument(
            "source",
            type=Path,
            metavar="SRC",
            help="the dataset as downloaded: a folder, zip archives in it, or one zip",
        )
        converter.add_arguments(sub)
        sub.add_argument(
            "--test-fraction",
            type=float,
            default=0.2,
            help="share of labelled patients to test on, if SRC has no such part (default 0.2)",
        )
        sub.add_argument("--seed", type=int, default=0, help="another seed chooses other test patients (default 0)")
        sub.add_argument(
            "--keep-partial",
            action="store_true",
            help="use label maps that lack an organ, as annotated in part: the organ is unknown, and annotated.json "
            "says which ones a scan has (default: use such a scan without its labels)",
        )
        sub.add_argument(
            "--exclude", nargs="+", default=[], metavar="CASE", help="cases to leave out, such as btcv_0007"
        )
        sub.add_argument("-np", "--processes", type=int, default=2, help="worker processes (default 2)")


def run(args: argparse.Namespace) -> None:
    """Convert, and print the written datasets and the findings."""
    if not 0 <= args.test_fraction < 1:
        raise UserError(f"--test-fraction {args.test_fraction} is not at least 0 and below 1")
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    options = ConversionOptions(
        test_fraction=args.test_fraction,
        seed=args.seed,
        keep_partial=args.keep_partial,
        processes=args.processes,
    )
    (converter,) = (known for known in CONVERTERS if args.dataset == known.NAME)
    with opened(args.source, confidential=converter is dicom) as source:
        for target in without(converter.targets(source, args), args.exclude):
            if phantom.is_phantom(args.source):  # it has the layout of BTCV or CHAOS, but not their licence
                target = target._replace(licence=phantom.LICENCE, reference=phantom.REFERENCE)
            print(join_dataset(target, options) if joins(target) else write_dataset(target, options))


def without(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """The datasets without the cases with these names.

    Raises:
        UserError: a name belongs to no case, or no case of a dataset is left.
    """
    known = [case.name for target in targets for case in target.cases]
    if strangers := sorted(set(names) - set(known)):
        raise UserError(f"--exclude {strangers[0]}: there is no case of that name, but {known[0]} and others")
    targets = [target._replace(cases=[case for case in target.cases if case.name not in names]) for target in targets]
    if empty := [target.name for target in targets if not target.cases]:
        raise UserError(f"--exclude leaves nothing of {empty[0]}: name fewer cases")
    return targets
