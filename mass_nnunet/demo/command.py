"""``mass_nnunet demo``: from a phantom to a report."""

import argparse
from pathlib import Path

from mass_nnunet.runtime.env import export_lines, temporary_environment

from .runner import Runner
from .settings import TINY, Settings
from .steps import Folders, demo_grid, demo_steps


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet demo``."""
    parser.add_argument("out", type=Path, nargs="?", default=Path("demo"), metavar="OUT", help="folder (default demo)")
    parser.add_argument("--tiny", action="store_true", help="every step as short as possible: a test, not a result")
    parser.epilog = "A demo that was interrupted goes on when it is started again."


def run(args: argparse.Namespace) -> None:
    """Run the unfinished steps, and write the report."""
    settings = TINY if args.tiny else Settings()
    folders = Folders(args.out.resolve())
    variables = folders.environment(demo_grid(folders, settings))
    runner = Runner(folders.root, variables)
    steps = demo_steps(folders, settings)
    print("\n".join(export_lines(variables)), flush=True)
    seconds = runner.run(steps)
    # Imported here, because it imports nnU-Net, which would delay the first step.
    from .summary import write_report

    with temporary_environment(variables):
        write_report(folders, settings, steps, seconds)
    print(f"\nreport: {folders.report}")
