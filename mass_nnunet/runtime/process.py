"""Identification of processes, to find out later whether a process still runs, also from another machine."""

import socket
from collections.abc import Mapping
from typing import Any

import psutil

from mass_nnunet.data.machine import view

_TICK = 0.01
"""Seconds per tick, as in Linux, where older versions of this module read ticks from /proc."""
_TOLERANCE = 200
"""Tolerance of a birth in ticks: on some systems it is the difference of two times, with an error of about a second."""
_UNKNOWN = "running"
"""Birth of a process if it cannot be read. Older versions wrote this for all processes on systems without /proc."""


def identify(pid: int) -> dict[str, Any]:
    """Identity of a process of this machine, as JSON content."""
    return {"host": socket.gethostname(), "view": view(), "pid": pid, "born": _born(pid)}


def is_here(process: Mapping[str, Any]) -> bool:
    """Whether an identified process is or was on this machine, so that :func:`runs` can be asked here."""
    return (process["host"], process["view"]) == (socket.gethostname(), view())


def is_certain(process: Mapping[str, Any]) -> bool:
    """Whether :func:`runs` can distinguish the process from a later one with the same number."""
    return process["born"] != _UNKNOWN


def runs(process: Mapping[str, Any]) -> bool:
    """Whether an identified process of this machine runs.

    A process of unknown birth counts as running while any process has its number. Older versions wrote no birth on
    systems without /proc. What they wrote on Linux is compatible.
    """
    now, then = _born(process["pid"]), process["born"]
    if now is None or then is None:
        return False
    if _UNKNOWN in (now, then):
        return True
    return abs(int(now) - int(then)) <= _TOLERANCE


def _born(pid: int) -> str | None:
    """Birth of a process in ticks since the machine's start; None if the process has ended.

    A later process with the same number has another birth. If the machine's clock is set, psutil's times of the
    process's and of the machine's start are shifted equally, so their difference does not change.
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
