"""Faults that meet a command at a chosen point of its work: it is killed, or its disk or its folder fails.

Python tells an audit hook of each file that it opens, renames or deletes. So a fault needs no change of the code that
it meets, and reaches the libraries of that code. What C and C++ write on their own is met by the file system: a limit
of the size of files, permissions, a folder that has another name.
"""

import ctypes
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

AWAY = "away"
HELD, GO = "held", "go"
"""Files beside the root of a command that is held."""
_FULL = 100  # bytes that a file can have on the full disk
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Point:
    """The ``number``-th time that a command does something with a file whose name fits a pattern.

    Attributes:
        phase: the point in words.
        event: ``write`` (a file is opened for writing), ``rename``, ``mkdir``, ``remove``, ``rmtree``, or ``reach``, a
            function that was named by :func:`reached`.
        path: regular expression for the path below the root of the command, of the new name where there are two.
        number: from 1.
    """

    phase: str
    event: str
    path: str
    number: int = 1


def reached(name: str) -> None:
    """Tell the hook of a point that no file marks."""
    sys.audit("faults.reach", name)


class Hook:
    """Counts what a process does with the files below ``root``, and lets one fault happen at one point.

    A forked process has a hook of its own, with the counts until then; the fault happens once among all of them.

    Args:
        root: folder of all files of the command; ``root`` with the suffix :data:`AWAY` must not exist.
        main: id of the process that a user would signal, the leader of its group.
        point: where the fault happens.
        fault: what happens, given ``root``, ``main`` and the path at which it happens.
        fired: file, outside of ``root``, that is made when it happens.
    """

    def __init__(
        self, root: Path, main: int, point: Point, fault: Callable[[Path, int, str], None], fired: Path
    ) -> None:
        self._root, self._main, self._point, self._fault, self._fired = f"{root}/", main, point, fault, fired
        self._pattern, self._count, self._busy, self._last = re.compile(point.path), 0, False, ""

    def __call__(self, event: str, arguments: tuple) -> None:
        if self._busy or not event.startswith(("open", "os.", "shutil.rmtree", "faults.")):
            return
        self._busy = True
        try:
            kind, path = _described(event, arguments)
            if kind not in ("", "reach") and path.startswith(self._root):
                self._last = path
            if kind == self._point.event and self._fits(kind, path):
                self._count += 1
                if self._count == self._point.number and self._is_first():
                    place = self._last if kind == "reach" else path
                    self._fault(Path(self._root), self._main, place.removeprefix(self._root))
        finally:
            self._busy = False

    def _fits(self, kind: str, path: str) -> bool:
        if kind == "reach":
            return self._pattern.search(path) is not None
        path = path if path.startswith("/") else f"{Path.cwd()}/{path}"
        return path.startswith(self._root) and self._pattern.search(path[len(self._root) :]) is not None

    def _is_first(self) -> bool:
        try:
            os.close(os.open(self._fired, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


def _described(event: str, arguments: tuple) -> tuple[str, str]:
    """Kind and path of an event; empty where it is none of those that a point can name."""
    if event == "open":
        path, mode, flags = arguments
        writes = any(letter in (mode or "") for letter in "wax+") or (flags or 0) & _WRITING
        return ("write" if writes else "", _text(path))
    if event == "faults.reach":
        return "reach", str(arguments[0])
    kinds = {"os.rename": ("rename", 1), "os.mkdir": ("mkdir", 0), "os.remove": ("remove", 0)}
    kinds["shutil.rmtree"] = ("rmtree", 0)
    if event not in kinds:
        return "", ""
    kind, position = kinds[event]
    return kind, _text(arguments[position])


def _text(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def kill(_: Path, main: int, __: str) -> None:
    """``kill -9``."""
    os.kill(main, signal.SIGKILL)


def terminate(_: Path, main: int, __: str) -> None:
    """``kill``, as a cluster sends it."""
    os.kill(main, signal.SIGTERM)


def interrupt(_: Path, main: int, __: str) -> None:
    """Ctrl-C, which goes to all processes of the terminal's group."""
    os.killpg(main, signal.SIGINT)


def fill_disk(_: Path, __: int, ___: str) -> None:
    """From now on no file of this process grows beyond some bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL, resource.RLIM_INFINITY))


def make_read_only(root: Path, _: int, __: str) -> None:
    """From now on nobody may write below the root."""
    _permit(root, writing=False)


def take_away(root: Path, _: int, path: str) -> None:
    """The folder below the root, in which the command works, is gone, as a network disk may be."""
    first = path.split("/")[0]
    if not (root / first).exists():
        return
    away = root.with_name(f"{root.name}.{AWAY}")
    away.mkdir()
    (root / first).rename(away / first)


def hold(root: Path, _: int, __: str) -> None:
    """Wait until :func:`let_go`; no fault, but another command can begin meanwhile."""
    (root.parent / HELD).touch()
    assert wait_for(lambda: (root.parent / GO).exists(), 120)


def let_go(root: Path) -> None:
    """Let a command that is held go on."""
    (root.parent / GO).touch()


Fault = Callable[[Path, int, str], None]
FAULTS: dict[str, Fault] = {
    "kill -9": kill,
    "Ctrl-C": interrupt,
    "SIGTERM": terminate,
    "full disk": fill_disk,
    "read-only": make_read_only,
    "vanished folder": take_away,
}


def undo(root: Path) -> None:
    """Make the disk as a user has it again before the next try: there, and writable."""
    away = root.with_name(f"{root.name}.{AWAY}")
    if away.exists():
        for folder in away.iterdir():
            shutil.rmtree(root / folder.name, ignore_errors=True)
            folder.rename(root / folder.name)
        away.rmdir()
    _permit(root, writing=True)


def _permit(root: Path, *, writing: bool) -> None:
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755 if writing else 0o555)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o644 if writing else 0o444)


def obey_permissions() -> None:
    """Give up root's right to ignore permissions, in this process and all that it starts. On Linux."""
    if os.geteuid() != 0:
        return
    version_3, libc = 0x20080522, ctypes.CDLL(None, use_errno=True)
    header, none = (ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()
    for capability in (0, 1, 2):  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: not regained by exec
        libc.prctl(24, capability, 0, 0, 0)
    if libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def arm(root: Path, point: Point, fault: "Fault", fired: Path) -> None:
    """Let a fault meet this process, or one that it forks, at a point."""
    obey_permissions()
    sys.addaudithook(Hook(root, os.getpid(), point, fault, fired))


def trace(root: Path, into: list[str]) -> None:
    """Note what this process does with files below a root, as lines of event and path, to choose points from."""
    start = f"{root}/"

    def note(event: str, arguments: tuple) -> None:
        if event.startswith(("open", "os.", "shutil.rmtree", "faults.")):
            kind, path = _described(event, arguments)
            if kind == "reach" or (kind and path.startswith(start)):
                into.append(f"{kind} {path.removeprefix(start)}")

    sys.addaudithook(note)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
