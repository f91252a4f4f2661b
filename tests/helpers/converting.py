"""Conversions as a user starts them, and what they leave."""

from pathlib import Path

import pytest

from mass_nnunet.cli import main


def convert(*arguments: object) -> int:
    """Exit status of ``mass_nnunet convert``, in one process: no time to start others, and the coverage sees it."""
    return main(["convert", *map(str, arguments), "-np", "1"])


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a failing conversion prints."""
    capsys.readouterr()
    assert convert(*arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "mass_nnunet convert: error: " in line]
    return line


def contents(folder: Path) -> dict[str, list[str]]:
    """Names of the files in each folder of a folder."""
    return {sub.name: sorted(path.name for path in sub.iterdir()) for sub in folder.iterdir() if sub.is_dir()}
