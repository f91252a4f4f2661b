"""Child processes that write to a log and end with their parent."""

import ctypes
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PATIENCE = 20.0
"""Seconds in which an interrupted command can end by itself."""
_TAIL = 12


def start(
    command: Sequence[str], output: IO[bytes], environment: Mapping[str, str], *, apart: bool = False
) -> subprocess.Popen:
    """Start ``command`` with its output in ``output``. On Linux it is interrupted when its parent is killed.

    Args:
        command: program and arguments.
        output: log, open for writing.
        environment: all environment variables of the command.
        apart: start it in a session of its own: Ctrl-C in the terminal then reaches only the parent. This is needed for
            a command that has to end its own children, because a second interrupt, by :func:`stop`, would break that
            off.
    """
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        start_new_session=apart,
    )


def stop(process: subprocess.Popen, patience: float = PATIENCE) -> None:
    """Interrupt a command as Ctrl-C does, so that it ends its own workers; kill it after ``patience`` seconds.

    On Windows, where one process cannot interrupt another one without its console, it is ended at once.
    """
    if sys.platform == "win32":
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def how_it_ended(status: int) -> str:
    """An exit status other than 0, in words."""
    return f"failed with exit status {status}" if status > 0 else f"was killed by signal {-status}"


def last_lines(log: Path) -> list[str]:
    """The last lines that a command printed; each state of a progress bar counts as a line."""
    return re.split(r"[\r\n]+", log.read_text(encoding="utf-8", errors="replace").strip())[-_TAIL:]


def _end_with_parent() -> None:
    """Run in the child, on Linux: ask for SIGINT when the parent is killed.

    Otherwise the child of a killed command and that of its successor could write into one folder.
    """
    # A command that a shell starts in the background ignores SIGINT, and its children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)
