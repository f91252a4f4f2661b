"""The command line of mass-nnunet. Each command lives in a module with ``add_arguments`` and ``run``.

Neither torch nor what imports it is imported at the top of such a module, but in ``run``: ``--help`` must not wait.
"""

import argparse
import importlib
import sys

from . import __version__
from .errors import UserError, disk_line
from .runtime.pipes import surviving_closed_pipes
from .runtime.threads import limit_itk

# A command's module is imported only when that command is asked for.
COMMANDS = {
    "env": ("mass_nnunet.runtime.env", "print the export lines that nnU-Net needs"),
    "phantom": ("mass_nnunet.phantom.command", "make synthetic CT and MRI abdomens in the layouts of BTCV and CHAOS"),
    "convert": (
        "mass_nnunet.dataset_conversion.command",
        "turn public datasets, NIfTI files and DICOM exports into nnU-Net raw datasets",
    ),
    "check": (
        "mass_nnunet.dataset_conversion.checks.command",
        "find what is wrong in raw datasets, and draw their cases",
    ),
    "relabel": ("mass_nnunet.dataset_conversion.relabel", "make a dataset with some of the labels of another one"),
    "to-dicom": ("mass_nnunet.dataset_conversion.to_dicom", "write predictions as DICOM segmentations of their series"),
    "turn": ("mass_nnunet.dataset_conversion.turn", "turn oblique scans like the converted ones, and predictions back"),
    "split": ("mass_nnunet.data.split_command", "write splits_final.json: labelled, unlabelled and validation cases"),
    "plan": ("mass_nnunet.planners.command", "plan once for all datasets of a group, and preprocess them"),
    "evaluate": ("mass_nnunet.evaluation.command", "Dice and surface distances of predictions against the truth"),
    "quality": (
        "mass_nnunet.quality.command",
        "estimate how good segmentations without truth are, and say where to look",
    ),
    "visualize": ("mass_nnunet.reporting.command", "a page with what a trained model predicts for some cases"),
    "suggest": ("mass_nnunet.annotation.suggest_command", "which unlabelled scans to annotate next, and why"),
    "annotate-in": (
        "mass_nnunet.annotation.annotate_in_command",
        "take corrected labels of `suggest --export` into their dataset, and extend its splits",
    ),
    "export": ("mass_nnunet.export.command", "share a model: a zip that stock nnU-Net runs without this package"),
    "benchmark": ("mass_nnunet.benchmark.command", "every method on the same splits: train, predict and score a grid"),
    "demo": ("mass_nnunet.demo.command", "the whole path on a phantom, ending in one HTML report"),
}


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of one command; ``run`` among them is its function.

    Raises:
        SystemExit: there is no such command or option, or --help was asked for.
    """
    parser = argparse.ArgumentParser(prog="mass_nnunet", description=__doc__.split(".")[0] + ".")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if argv and argv[0] == name:
            implementation = importlib.import_module(module)
            implementation.add_arguments(sub)
            sub.set_defaults(run=implementation.run)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for bad input, 130 when interrupted."""
    limit_itk()
    args = parse(sys.argv[1:] if argv is None else argv)
    with surviving_closed_pipes():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        args.run(args)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"mass_nnunet {args.command}: error: {line}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"mass_nnunet {args.command}: error: {disk_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"mass_nnunet {args.command}: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
