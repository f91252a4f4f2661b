"""``mass_nnunet env``: the lines of a shell that make nnU-Net find its folders and our trainers."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_NOT_ASCII = re.compile(r"[^\x00-\x7F]")
HOOK_FOLDER = Path(__file__).parents[1] / "nnunet_hook"
EXTERNAL_TRAINERS = "nnUNet_extTrainer"
"""Variable with the folders in which nnU-Net looks for trainers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet env``."""
    parser.epilog = (
        'Use it as: eval "$(mass_nnunet env)"; in fish: mass_nnunet env --shell fish | source; in PowerShell: '
        "mass_nnunet env --shell powershell | Out-String | Invoke-Expression"
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("nnunet"),
        help="folder for those of nnU-Net's folders that are not set (default ./nnunet)",
    )
    in_bash = sys.platform != "win32" or "MSYSTEM" in os.environ or "SHELL" in os.environ  # such as Git Bash
    default = "bash" if in_bash else "powershell"
    parser.add_argument(
        "--shell",
        choices=SHELLS,
        default=default,
        help=f"bash is also for zsh and sh (default on this machine: {default})",
    )


def export_lines(values: Mapping[str, str], shell: str = "bash") -> list[str]:
    """A line for each variable that sets it in a shell, one of ``SHELLS``: ``export NAME=VALUE``, quoted."""
    return [SHELLS[shell](name, value) for name, value in values.items()]


def _bash(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    """In ASCII: PowerShell reads what a program prints in the console's code page, and Python may write in another."""
    quoted = value.replace("'", "''")
    return f"$env:{name} = '{_NOT_ASCII.sub(_code_point, quoted)}'"


def _code_point(match: re.Match[str]) -> str:
    return f"' + [char]::ConvertFromUtf32({ord(match[0])}) + '"


SHELLS: dict[str, Callable[[str, str], str]] = {"bash": _bash, "fish": _fish, "powershell": _powershell}


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


def trainer_folders() -> str:
    """The value of ``EXTERNAL_TRAINERS``: the user's own folders, and the one of this package."""
    folders = [folder for folder in os.environ.get(EXTERNAL_TRAINERS, "").split(os.pathsep) if folder.strip()]
    return os.pathsep.join(dict.fromkeys([*folders, str(HOOK_FOLDER)]))


def needed(root: Path) -> dict[str, str]:
    """Variables to export: ``nnUNet_extTrainer``, and a folder below ``root`` for each unset one of nnU-Net's three."""
    values = {EXTERNAL_TRAINERS: str(HOOK_FOLDER)}
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        if name not in os.environ:
            values[name] = str(root.resolve() / name)
    return values


def run(args: argparse.Namespace) -> None:
    """Print the export lines."""
    print("\n".join(export_lines(needed(args.root), args.shell)))
