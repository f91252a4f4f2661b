"""A damaged input and the line by which ``mass_nnunet convert`` must refuse it."""

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

from mass_nnunet.cli import main
from sound_datasets import SOURCES

RAW = "nnUNet_raw"
PREFIX = "mass_nnunet convert: error: "
# Ends of lines that many damages share.
SHORT = "cannot be read (it ends too early): copy or download it again"
SIDES = "its orientation or its label values are wrong; correct or remove it"
CORRECT = "which is no known label: correct or remove the file"
NO_LABELS = "has no annotated voxel: get the right file, or remove it to use the scan without labels"
# Without its capabilities even root may do no more than the permissions say.
AS_ANYONE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong with a dataset.

    Attributes:
        source: key of ``SOURCES``, the sound dataset.
        name: the damage in words, a row of docs/damaged_inputs.md.
        do: damages the sound dataset in the folder ``src``.
        line: end of the expected line: file or folder, and remedy. "..." stands for any text.
        options: options of the command, after those of the source; {} is the folder that holds ``src``.
        given: path that the command gets instead of ``src``.
        around: context in which the command runs.
        apart: whether the command runs in a process of its own, without root's right to ignore permissions.
        posix: whether Windows has no such thing: pipes, file limits, permissions, links and names of that kind.
    """

    source: str
    name: str
    do: Callable[[Path], object]
    line: str
    options: tuple[str, ...] = ()
    given: str = "src"
    around: Callable[[], AbstractContextManager] = nullcontext
    apart: bool = False
    posix: bool = False

    def can_happen_here(self) -> bool:
        """Whether this machine lets the damage be made and met."""
        return not (self.posix and sys.platform == "win32") and not (self.apart and not can_run_apart())

    def tells(self, line: str) -> bool:
        """Whether a line is the expected one."""
        ending = ".*".join(map(re.escape, self.line.split("...")))
        return re.match(rf"{PREFIX}.*{ending}$", line) is not None

    def prepare(self, folder: Path) -> None:
        """Write the dataset to ``folder / "src"`` and damage it."""
        (folder / RAW).mkdir(parents=True)
        SOURCES[self.source].make(folder / "src")
        self.do(folder / "src")

    def convert(self, folder: Path) -> int:
        """Run the command on the damaged dataset; return its exit status."""
        with patch.dict(os.environ, {RAW: str(folder / RAW)}):
            arguments = command_line(self.source, folder / self.given, *(text.format(folder) for text in self.options))
            if self.apart:
                as_anyone = AS_ANYONE if os.geteuid() == 0 else ()
                command = [*as_anyone, sys.executable, "-m", "mass_nnunet.cli", *arguments]
                done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
                print(done.stderr, file=sys.stderr)
                return done.returncode
            with self.around():
                return main(arguments)


def command_line(source: str, given: Path, *options: str) -> list[str]:
    """Arguments of ``mass_nnunet``, for one process: a file limit holds for it, and none has to be started."""
    return ["convert", *(word.format(given) for word in SOURCES[source].arguments.split()), *options, "-np", "1"]


@cache
def can_run_apart() -> bool:
    """Whether a command can be run here that obeys permissions."""
    if os.geteuid() != 0:
        return True
    tool = shutil.which(AS_ANYONE[0])
    return tool is not None and subprocess.run([*AS_ANYONE, "true"], capture_output=True, check=False).returncode == 0


def messages(errors: str) -> list[str]:
    """Lines that a command has printed on standard error, without progress bars."""
    bar = re.compile(r"\d+%\||\d+(case|file) \[")
    return [line for line in errors.splitlines() if line.strip() and not bar.search(line)]


def visible(raw: Path) -> list[str]:
    """Files and folders under a final name, at any depth."""
    paths = (path.relative_to(raw) for path in raw.rglob("*"))
    return sorted(str(path) for path in paths if not path.parts[0].startswith(".tmp-"))
