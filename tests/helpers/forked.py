"""Commands in forked processes, which start at once: a new process would import torch and nnU-Net for seconds."""

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import IO, Any, NamedTuple

import pytest

from mass_nnunet.benchmark.run import runner, steps
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.runtime import child
from nnunet_threads import use_threads
from quick_training import validate_in_threads

HUNG = -1000
"""Status of a command that did not end in time."""


class Outcome(NamedTuple):
    """How a command ended.

    Attributes:
        status: exit status, or minus the number of the signal by which it ended, or :data:`HUNG`.
        output: what it printed on both streams.
    """

    status: int
    output: str


def run_forked(action: Callable[[], object], patience: float = 120.0) -> Outcome:
    """Run an action as the main function of a command, in a process group of its own.

    Args:
        action: returns an exit status, or None for 0.
        patience: seconds after which the command counts as hung and is killed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _be_a_command(action, writer)
    os.close(writer)
    pieces: list[bytes] = []
    listener = threading.Thread(target=_listen, args=(reader, pieces), daemon=True)
    listener.start()
    status = _wait(pid, patience)
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        status = HUNG
    listener.join(2)  # a process that the command has left behind may still hold the pipe
    return Outcome(status, b"".join(pieces).decode(errors="replace"))


def _be_a_command(action: Callable[[], object], output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), "utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), "utf-8", line_buffering=True)
    os._exit(_status_of(action))


def _status_of(action: Callable[[], object]) -> int:
    """What Python does with the end of a program."""
    try:
        result = action()
        status = result if isinstance(result, int) else 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        traceback.print_exc()
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


def _listen(reader: int, pieces: list[bytes]) -> None:
    with os.fdopen(reader, "rb", buffering=0) as stream:
        while piece := stream.read(1 << 16):
            pieces.append(piece)


def _wait(pid: int, patience: float) -> int | None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def without_new_processes(patch: pytest.MonkeyPatch) -> None:
    """Let nnU-Net's workers be threads, and those of the benchmark and their steps forked processes."""
    use_threads(patch)
    validate_in_threads(patch)
    forks = SimpleNamespace(get_context=lambda _: multiprocessing.get_context("fork"))
    patch.setattr(runner, "multiprocessing", forks)
    patch.setattr(child, "start", ForkedStep)


class ForkedStep:
    """Stands for the process of a benchmark's step: it begins and ends as that, with the same signals."""

    def __init__(self, command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> None:
        self.returncode: int | None = None
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            child._end_with_parent()
            if os.getppid() != parent:
                os._exit(130)
            os.environ.clear()
            os.environ.update(environment)
            step, arguments = command[-2:]

            def action() -> None:
                with exit_on_user_error():
                    steps.run_step(step, arguments)

            _be_a_command(action, output.fileno())

    def wait(self, timeout: float | None = None) -> int:
        """As of ``subprocess.Popen``."""
        if self.returncode is None:
            self.returncode = _wait(self.pid, float("inf") if timeout is None else timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("step", timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As of ``subprocess.Popen``."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As of ``subprocess.Popen``."""
        self.send_signal(signal.SIGKILL)


def nnunet(entry: Callable[[], Any], *words: str) -> Callable[[], Any]:
    """One of nnU-Net's commands, by its main function."""

    def action() -> Any:
        sys.argv = [entry.__name__, *words]
        # nnU-Net takes as many threads as cores; those of the process before it do not live here, and it would wait.
        multiprocessing.cpu_count = lambda: 1
        return entry()

    return action
