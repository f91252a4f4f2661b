"""Which process something is of, and whether that process still runs: asked from this machine or from another."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def identify(pid: int) -> dict[str, Any]:
    """Tell a process of this machine from all others, as JSON."""
    return {"host": socket.gethostname(), "view": _view(), "pid": pid, "born": _born(pid)}


def is_here(process: Mapping[str, Any]) -> bool:
    """Whether an identified process is, or was, one of this machine, so that it can be seen whether it runs."""
    return (process["host"], process["view"]) == (socket.gethostname(), _view())


def runs(process: Mapping[str, Any]) -> bool:
    """Whether an identified process of this machine runs."""
    return process["born"] is not None and _born(process["pid"]) == process["born"]


def _view() -> str:
    """The part of the machine that sees the same processes: containers may share a host name and not see each other."""
    namespace = Path("/proc/self/ns/pid")
    return str(namespace.readlink()) if namespace.exists() else ""


def _born(pid: int) -> str | None:
    """When a process started, as the system counts, so that a later one with its number is told apart; None if ended.

    Where there is no /proc, all running processes are born alike.
    """
    if Path("/proc/self/stat").exists():
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if words[0] == "Z" else words[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
