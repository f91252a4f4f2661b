"""A clock for locks that goes on only while somebody sleeps, so no test of a wait depends on the speed of a machine."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mass_nnunet.runtime import lock

ELSEWHERE = '{"host": "elsewhere", "view": "", "pid": 1, "born": "1"}'
"""Content of a lock file of a process on another machine."""


class FakeClock:
    """The time of :mod:`mass_nnunet.runtime.lock`, in which a sleep takes no time.

    It is an hour behind that of the file system, so a lock that a test takes meanwhile is never stale.

    Attributes:
        slept: seconds of all sleeps.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._start, self.slept = time.time() - 3600, 0.0
        self._alarms: list[tuple[float, Callable[[], None]]] = []
        times = SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep)
        patch.setattr(lock, "time", times)

    @property
    def now(self) -> float:
        """Seconds, as of ``time.time``."""
        return self._start + self.slept

    def sleep(self, seconds: float) -> None:
        """Go on by these seconds, and do what is due."""
        assert seconds > 0
        self.slept += seconds
        due = [do for at, do in self._alarms if at <= self.slept]
        self._alarms = [(at, do) for at, do in self._alarms if at > self.slept]
        for do in due:
            do()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something after these seconds of sleep, counted from the beginning."""
        self._alarms.append((seconds, do))

    def touch(self, file: Path, age: float = 0.0) -> None:
        """Make a file as old as that."""
        os.utime(file, (self.now - age,) * 2)

    def lock_elsewhere(self, folder: Path, age: float = 0.0, content: str = ELSEWHERE) -> Path:
        """Write a lock file of a process on another machine, which touched it ``age`` seconds ago."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "lock-0001"
        file.write_text(content)
        self.touch(file, age)
        return file
