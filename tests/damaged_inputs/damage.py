"""One damaged input, and the line that it must give."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

from damage_sources import SOURCES
from mass_nnunet.cli import main

RAW = "nnUNet_raw"
PREFIX = "mass_nnunet convert: error: "
# Without its capabilities even root may do no more than the permissions say.
_AS_ANYONE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong.

    Attributes:
        source: key of ``SOURCES``.
        name: in words.
        do: damages the sound dataset in the folder ``src``.
        line: how the line that must come ends: with file or folder, and remedy. "..." stands for any text.
        options: of the command, after the source's own; {} is the folder that ``src`` is in.
        given: what the command is given instead of ``src``.
        around: in which the command runs.
        apart: whether it runs in a process of its own, without root's right to pass over permissions.
    """

    source: str
    name: str
    do: Callable[[Path], object]
    line: str
    options: tuple[str, ...] = ()
    given: str = "src"
    around: Callable[[], AbstractContextManager] = nullcontext
    apart: bool = False

    def tells(self, line: str) -> bool:
        """Whether a line is the one that must come."""
        ending = ".*".join(map(re.escape, self.line.split("...")))
        return re.match(rf"{PREFIX}.*{ending}$", line) is not None

    def prepare(self, folder: Path) -> None:
        """Make the dataset in ``folder``, and damage it."""
        (folder / RAW).mkdir(parents=True)
        SOURCES[self.source].make(folder / "src")
        self.do(folder / "src")

    def convert(self, folder: Path) -> int:
        """Run the command on it, with all its printing; its exit status."""
        with patch.dict(os.environ, {RAW: str(folder / RAW)}):
            arguments = command_line(self.source, folder / self.given, *(text.format(folder) for text in self.options))
            if self.apart:
                as_anyone = _AS_ANYONE if os.geteuid() == 0 else ()
                command = [*as_anyone, sys.executable, "-m", "mass_nnunet.cli", *arguments]
                done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
                print(done.stderr, file=sys.stderr)
                return done.returncode
            with self.around():
                return main(arguments)


def command_line(source: str, given: Path, *options: str) -> list[str]:
    """Arguments of ``mass_nnunet``. One process: no time to start others, and the limits below hold for this one."""
    return ["convert", *(word.format(given) for word in SOURCES[source].arguments.split()), *options, "-np", "1"]


@cache
def can_run_apart() -> bool:
    """Whether a command can be run here that permissions stop."""
    if os.geteuid() != 0:
        return True
    tool = shutil.which(_AS_ANYONE[0])
    return tool is not None and subprocess.run([*_AS_ANYONE, "true"], capture_output=True, check=False).returncode == 0


def messages(errors: str) -> list[str]:
    """What a command has printed on its standard error, but for its progress bars."""
    bar = re.compile(r"\d+%\||\d+(case|file) \[")
    return [line for line in errors.splitlines() if line.strip() and not bar.search(line)]


def visible(raw: Path) -> list[str]:
    """What lies in a folder under a final name, at any depth."""
    paths = (path.relative_to(raw) for path in raw.rglob("*"))
    return sorted(str(path) for path in paths if not path.parts[0].startswith(".tmp-"))
