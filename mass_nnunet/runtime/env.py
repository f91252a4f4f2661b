"""``mass_nnunet env``: the export lines that make nnU-Net find its folders and our trainers."""

import argparse
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HOOK_FOLDER = Path(__file__).parents[1] / "nnunet_hook"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet env``."""
    parser.epilog = 'Use it as: eval "$(mass_nnunet env)"'
    parser.add_argument("--root", type=Path, default=Path("nnunet"), help="where unset nnU-Net folders are put")


def export_lines(values: Mapping[str, str]) -> list[str]:
    """``export NAME=VALUE`` for each variable, quoted for the shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


@contextmanager
def temporary_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside the block, and restore their former values after it."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def needed(root: Path) -> dict[str, str]:
    """Variables to export: ``nnUNet_extTrainer``, and a folder below ``root`` for each unset one of nnU-Net's three."""
    values = {"nnUNet_extTrainer": str(HOOK_FOLDER)}
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        if name not in os.environ:
            values[name] = str(root.resolve() / name)
    return values


def run(args: argparse.Namespace) -> None:
    """Print the export lines."""
    print("\n".join(export_lines(needed(args.root))))
