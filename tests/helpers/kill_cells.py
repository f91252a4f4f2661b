"""What is left of a command that a fault has met, and what another run makes of it."""

import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import blosc2
import matplotlib.image
import pytest
import SimpleITK as sitk

from faults import FAULTS, Point, arm, undo
from forked import HUNG, Outcome, run_forked, without_new_processes
from kill_commands import COMMANDS, Action, Command, write_sources
from kill_patches import import_everything, tell_of_steps
from mass_nnunet.runtime.checkpoint import read_checkpoint
from quick_planning import sample_few_voxels
from quick_training import draw_little
from tiny_group import variables

UNLIKE = (
    *(r"progress\.png$", r"mass_\w+\.png$", r"training_log", r"debug\.json$", r"\.pth$", r"\.log$", r"cell\.json$"),
    r"/sources/\w+\.json$",
)
"""Files that hold times or random numbers, and only have to be there."""
_STAMP = re.compile(r"training_log_[\d_]+\.txt$")
_CELL_LOCK = re.compile(r"(bench/cells/\w[^/]*)/lock-\d{4}$")
_NAMELESS = re.compile(r"(^|/)(\.tmp-[^/]*|lock-\d{4})(/|$)")


class Scene:
    """The files of all commands, as they are before and after each of them without a fault.

    Args:
        folder: empty folder for all of it.
        patience: seconds after which a command counts as hung.
    """

    def __init__(self, folder: Path, patience: float = 120.0) -> None:
        self._patience = patience
        self.root, self._kept, self._fired = folder / "root", folder / "kept", folder / "fired"
        self._expected: dict[str, dict[str, str]] = {}
        import_everything()

    def prepare(self, names: Iterable[str], times: int = 2) -> None:
        """Run these commands and those that they need, and keep what they make.

        Args:
            names: of the commands.
            times: how often each is run; what differs between the runs is not compared.
        """
        write_sources(self.root)
        self._keep("")
        wanted = list(names)
        for name in wanted:
            wanted += [command.after for command in COMMANDS if command.name == name and command.after]
        for command in COMMANDS:
            if command.name in wanted:
                self._make(command, times)

    def _make(self, command: Command, times: int) -> None:
        found = []
        for _ in range(times):
            self.restore(command.after)
            outcome = self.run(command.action)
            assert outcome.status == 0, (command.name, outcome)
            assert not command.check(self.root), command.check(self.root)
            found.append(contents(self.root))
        first = found[0]
        self._expected[command.name] = {
            name: digest if all(other.get(name) == digest for other in found) else "" for name, digest in first.items()
        }
        self._keep(command.name)

    def run(self, action: Action, arm_fault: Callable[[], None] = lambda: None) -> Outcome:
        """Run a command in a process of its own."""

        def begin() -> object:
            patch = pytest.MonkeyPatch()
            for name, value in variables(self.root).items():
                patch.setenv(name, value)
            patch.setenv("OMP_NUM_THREADS", "1")
            without_new_processes(patch)
            tell_of_steps(patch)
            sample_few_voxels(patch)
            draw_little(patch)
            arm_fault()
            return action(self.root)()

        return run_forked(begin, self._patience)

    def restore(self, name: str) -> None:
        """Bring back what a command has made, or the beginning."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._kept / (name or "beginning"), self.root, symlinks=True)

    def _keep(self, name: str) -> None:
        shutil.copytree(self.root, self._kept / (name or "beginning"), symlinks=True)

    def cell(self, command: Command, point: Point, fault: str) -> "Result":
        """One cell of the matrix."""
        self.restore(command.after)
        self._fired.unlink(missing_ok=True)
        before = set(contents(self.root))
        first = self.run(command.action, lambda: arm(self.root, point, FAULTS[fault], self._fired))
        met = self._fired.exists()
        undo(self.root)
        torn = [name for name in unreadable(self.root) if name not in before]
        again = self.run(command.again or command.action)
        wrong = self.differences(command)
        if again.status == 0:
            wrong += command.check(self.root)
        return Result(met, first, again, tuple(torn), tuple(wrong), lost_epochs(first.output, again.output))

    def differences(self, command: Command) -> list[str]:
        """How the files differ from those that a command makes without a fault."""
        expected, found = self._expected[command.name], contents(self.root)
        expected = {name: "" if re.search(command.drawn, name) else digest for name, digest in expected.items()}
        lines = [f"{file} is not there" for file in expected.keys() - found.keys()]
        lines += [f"{file} is left" for file in found.keys() - expected.keys()]
        lines += [
            f"{file} is another" for file in expected.keys() & found.keys() if expected[file] not in ("", found[file])
        ]
        return sorted(lines)


class Result(NamedTuple):
    """What came of a cell.

    Attributes:
        met: whether the command came to the point.
        first: how it ended with the fault.
        again: how the next run ended.
        torn: files under a final name that could not be read after the fault.
        wrong: how the end differs from that without a fault.
        lost: epochs that a training repeated although they were done; None where it is no training.
    """

    met: bool
    first: Outcome
    again: Outcome
    torn: tuple[str, ...]
    wrong: tuple[str, ...]
    lost: int | None

    @property
    def same(self) -> bool:
        """Whether the next run came to the same end."""
        return self.met and self.again.status == 0 and not self.wrong and (self.lost or 0) <= 1

    @property
    def silent(self) -> bool:
        """Whether a command that could not do its work says that it did."""
        return self.met and self.first.status == 0 and bool(self.torn)

    @property
    def told(self) -> str:
        """The end of a command under a fault in a word or two."""
        if not self.met:
            return "not reached"
        if self.first.status == HUNG or self.again.status == HUNG:
            return "HANGS"
        if self.first.status < 0:
            return "killed"
        if "Traceback" in self.first.output:
            return "traceback"
        return f"exit {self.first.status}"


def lost_epochs(first: str, again: str) -> int | None:
    """Epochs that the first of two outputs of a training has finished and the second one repeats."""
    finished = [int(number) for number in re.findall(r"epoch (\d+) is done", first)]
    begun = [int(number) for number in re.findall(r"epoch (\d+) begins", again)]
    if not finished:
        return None
    return max(finished) + 1 - min(begun) if begun else 0


def contents(root: Path) -> dict[str, str]:
    """Digest of each file below a root; of those that hold times or random numbers an empty one."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = _STAMP.sub("training_log.txt", path.relative_to(root).as_posix())
        name = _CELL_LOCK.sub(r"\1/lock", name)  # each worker of a cell leaves one, with the next number
        if path.is_dir():
            if not any(path.iterdir()):
                found[f"{name}/"] = ""
        else:
            unlike = any(re.search(pattern, name) for pattern in UNLIKE)
            found[name] = "" if unlike else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def unreadable(root: Path) -> list[str]:
    """Files under a final name that cannot be read to their end."""
    found = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not _NAMELESS.search(name):
            try:
                _read(path)
            except Exception:  # whatever a reader raises
                found.append(name)
    return found


def _read(path: Path) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda file: json.loads(file.read_text()),
        ".gz": lambda file: sitk.ReadImage(str(file)),
        ".pth": read_checkpoint,
        ".png": lambda file: matplotlib.image.imread(file),
        ".zip": lambda file: zipfile.ZipFile(io.BytesIO(file.read_bytes())).testzip(),
        ".html": lambda file: file.read_text().rstrip().endswith("</html>") or 1 / 0,
        ".b2nd": lambda file: blosc2.open(urlpath=str(file), mode="r")[:],
    }
    readers.get(path.suffix, lambda _: None)(path)
