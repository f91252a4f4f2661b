"""Child processes that write to a log and end with their parent."""

import ctypes
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_TAIL = 12
_PATIENCE = 20  # seconds that an interrupted command has to end by itself


def start(command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen:
    """Start ``command``; what it prints goes to ``output``. On Linux it is interrupted when its parent is killed."""
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )


def stop(process: subprocess.Popen) -> None:
    """End a command as Ctrl-C does, so that it ends its own workers; kill it if it does not listen."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def how_it_ended(status: int) -> str:
    """An exit status other than 0 in words."""
    return f"failed with exit status {status}" if status > 0 else f"was killed by signal {-status}"


def last_lines(log: Path) -> list[str]:
    """The end of what a command printed; a progress bar's states are lines, too."""
    return re.split(r"[\r\n]+", log.read_text(encoding="utf-8", errors="replace").strip())[-_TAIL:]


def _end_with_parent() -> None:
    """In the child, on Linux: be interrupted when the parent is killed, else two trainings could write one folder."""
    # What a shell starts in its background ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)
