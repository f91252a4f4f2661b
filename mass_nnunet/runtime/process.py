"""Identify a process, and tell later whether it still runs: asked from this machine or from another."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

_TICK = 0.01
"""Seconds. Linux counts so, and so did the older versions of this module that read /proc."""
_TOLERANCE = 200
"""Ticks. Where the system does not count from its start, the difference of two times may be off by a second."""
_UNKNOWN = "running"
"""Birth of a process that does not tell it; older versions wrote it for all processes where there is no /proc."""


def identify(pid: int) -> dict[str, Any]:
    """Tell a process of this machine from all others, as JSON."""
    return {"host": socket.gethostname(), "view": _view(), "pid": pid, "born": _born(pid)}


def is_here(process: Mapping[str, Any]) -> bool:
    """Whether an identified process belongs, or belonged, to this machine: only here can be seen whether it runs."""
    return (process["host"], process["view"]) == (socket.gethostname(), _view())


def is_certain(process: Mapping[str, Any]) -> bool:
    """Whether :func:`runs` can tell the process from a later one with its number."""
    return process["born"] != _UNKNOWN


def runs(process: Mapping[str, Any]) -> bool:
    """Whether an identified process of this machine runs.

    A process whose birth is not known runs, as far as can be seen, while any process has its number. That is so for
    what older versions wrote where there is no /proc; what they wrote on Linux is understood as it is.
    """
    now, then = _born(process["pid"]), process["born"]
    if now is None or then is None:
        return False
    if _UNKNOWN in (now, then):
        return True
    return abs(int(now) - int(then)) <= _TOLERANCE


def _view() -> str:
    """The part of the machine that sees the same processes: containers may share a host name and not see each other.

    Why not psutil: it does not know of namespaces.
    """
    namespace = Path("/proc/self/ns/pid")
    return str(namespace.readlink()) if namespace.exists() else ""


def _born(pid: int) -> str | None:
    """Ticks from the start of the machine to that of a process, so that a later one with its number is told apart.

    None if it ended. psutil's time of birth is shifted when somebody sets the machine's clock; so is its time of the
    machine's start, and the difference of both stays.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return str(round((process.create_time() - psutil.boot_time()) / _TICK))
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return _UNKNOWN
