"""``mass_nnunet demo``: from a phantom to a report."""

import argparse
from pathlib import Path

from mass_nnunet.runtime.env import export_lines

from .runner import Runner
from .settings import TINY, Settings
from .steps import Folders, demo_steps
from .summary import write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet demo``."""
    parser.add_argument("out", type=Path, nargs="?", default=Path("demo"), metavar="OUT", help="folder (default demo)")
    parser.add_argument("--tiny", action="store_true", help="every step as small as possible: a test, not a result")
    parser.epilog = "A demo that was interrupted goes on when it is started again."


def run(args: argparse.Namespace) -> None:
    """Run what is not done yet, and write the report."""
    settings = TINY if args.tiny else Settings()
    folders = Folders(args.out.resolve())
    environment = folders.environment()
    runner = Runner(folders.root, environment)
    steps = demo_steps(folders, settings)
    print("\n".join(export_lines(environment)), flush=True)
    seconds = runner.run(steps)
    write_report(folders, settings, steps, seconds)
    print(f"\nreport: {folders.report}")
