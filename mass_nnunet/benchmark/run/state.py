"""The state of a cell, from ``cell.json`` and the lock in its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.runtime.lock import is_held

STATES = DONE, RUNNING, INTERRUPTED, FAILED, WAITING = ("done", "running", "interrupted", "failed", "waiting")
_FILE = "cell.json"


def read_record(folder: Path) -> dict[str, Any]:
    """Content of ``cell.json``; empty for a cell that was never begun."""
    file = folder / _FILE
    return read_json(file, f"remove {folder}") if file.exists() else {}


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write ``cell.json``, which only the holder of the lock may do."""
    write_json(folder / _FILE, record)


def state(folder: Path) -> str:
    """One of ``STATES``; ``interrupted`` if its worker has ended meanwhile, so that the next worker continues it."""
    recorded = read_record(folder).get("state", WAITING)
    return INTERRUPTED if recorded == RUNNING and not is_held(folder) else recorded


def is_outdated(folder: Path, inputs: str) -> bool:
    """Whether a cell was begun with other inputs than those of the digest ``inputs``."""
    return read_record(folder).get("inputs", inputs) != inputs


def is_open(folder: Path, retries: int, inferences: Sequence[str], inputs: str) -> bool:
    """Whether a cell is still to do.

    It is if ``inferences`` are missing, or it has not failed more than ``retries`` times, or its inputs have changed.
    """
    record = read_record(folder)
    if is_outdated(folder, inputs):
        return True
    if record.get("state") == DONE:
        return not set(inferences) <= set(record["inferences"])
    return record.get("failures", 0) <= retries
