"""Damaged inputs by the thousand, in processes with a limit of memory: what is neither read nor refused is found.

An input is made from its number alone, so that each finding can be made again.
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from fuzz_target import Target
from mass_nnunet.errors import UserError
from tiny_group import use_folders

SECONDS = 20.0
"""An input that takes longer counts as one that hangs."""
MEMORY = 1 << 30
"""Bytes that reading may take beside what the process has."""
_LINE = 20_000  # characters of a message; a name of the input may be 5000 long


class Finding(NamedTuple):
    """What went wrong with one input.

    Attributes:
        target: name of the kind of input.
        number: of the input.
        what: one line: kind of exception and where it was raised, or what else is wrong.
        text: the traceback or the message.
    """

    target: str
    number: int
    what: str
    text: str


class _Slow(BaseException):
    pass


def fuzz(kind: type[Target], folder: Path, numbers: range, planned: Path | None = None) -> list[Finding]:
    """Read damaged inputs.

    Args:
        kind: of input.
        folder: empty folder; nothing outside of its inner folder may be written.
        numbers: of the inputs.
        planned: the planned group of the tests, for a target that needs it.
    """
    inside, found = folder / "inside", folder / "findings.jsonl"
    found.touch()
    next_number = numbers.start
    while next_number < numbers.stop:
        shutil.rmtree(inside, ignore_errors=True)
        if kind.needs_plans:
            assert planned is not None
            shutil.copytree(planned, inside)
        inside.mkdir(exist_ok=True)
        (inside / "raw").mkdir(exist_ok=True)
        pid = os.fork()
        if pid == 0:
            _work(kind, inside, range(next_number, numbers.stop), found)
        _, status = os.waitpid(pid, 0)
        done = int((inside / "number").read_text())
        if status != 0:  # a library has ended the process
            note(found, Finding(kind.name, done, f"process ended with {os.waitstatus_to_exitcode(status)}", ""))
        next_number = done + 1
    return [Finding(**json.loads(line)) for line in found.read_text().splitlines()]


def note(file: Path, finding: Finding) -> None:
    """Add a finding to a file."""
    with file.open("a") as stream:
        stream.write(json.dumps(finding._asdict()) + "\n")


def _work(kind: type[Target], folder: Path, numbers: range, found: Path) -> None:
    status, number = 1, numbers.start
    try:
        with pytest.MonkeyPatch.context() as patch, _quiet():
            use_folders(patch, folder)
            target = kind(folder)
            outside = _beside(folder)
            limit = psutil.Process().memory_info().vms + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            for number in numbers:
                (folder / "number").write_text(str(number))
                target.damage(random.Random(f"{kind.name} {number}"))
                if wrong := judge(target):
                    note(found, Finding(kind.name, number, *wrong))
                if new := _beside(folder) - outside:
                    note(found, Finding(kind.name, number, "a file outside of the folder", str(sorted(new))))
                    outside |= new
        status = 0
    except BaseException:
        note(found, Finding(kind.name, number, "the fuzzer itself fails", traceback.format_exc()))
    finally:
        os._exit(status)


def judge(target: Target) -> tuple[str, str] | None:
    """What is wrong with how an input is read; None if it is read, or refused in clear lines."""
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        target.read()
    except UserError as error:
        return _unclear(str(error))
    except OSError as error:
        return None if error.filename else ("an error of the system that names no file", repr(error))
    except SystemExit as error:
        return _unclear(str(error.code))
    except _Slow:
        return f"hangs, more than {time.monotonic() - begin:.0f} s", traceback.format_exc()
    except Exception as error:
        place = next(
            (frame for frame in reversed(traceback.extract_tb(error.__traceback__)) if _ours(frame.filename)), None
        )
        where = f" at {Path(place.filename).name}:{place.name}" if place else ""
        return f"{type(error).__name__}{where}", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def _unclear(message: str) -> tuple[str, str] | None:
    if not message.strip():
        return "an empty message", ""
    if any(len(line) > _LINE for line in message.splitlines()):
        return "a message without end", message[:_LINE]
    if found := re.search(r"0x[0-9a-f]{6}|Traceback|\bobject at\b", message):
        return f"a message with {found[0]!r}", message
    return None


def _ours(file: str) -> bool:
    return any(f"/{room}/" in file for room in ("mass_nnunet", "dataset_conversion", "planners", "trainers"))


def _beside(folder: Path) -> set[Path]:
    """Files beside a folder, and where damaged inputs try to write."""
    places = (Path("/tmp/fuzz-was-here"), Path("/x.nii"), Path.home() / "x.nii")
    return {*folder.parent.iterdir(), *(place for place in places if place.exists())}


def _too_slow(*_: object) -> None:
    raise _Slow


@contextmanager
def _quiet() -> Iterator[None]:
    """Libraries warn of damaged files on the process's own streams."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
