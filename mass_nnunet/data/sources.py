"""What arrays or scores were made of: a record beside them of the size, times and digest of each file.

A file may be replaced by one with an older time (a backup, ``cp -p``, ``rsync -t``). Arrays that are newer than their
scan are therefore not up to date for that. The records lie in a folder of their own, as nnU-Net opens no folder of
arrays that holds files of another ending.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError

from .files import read_json, write_json

SOURCES = "sources"
"""Folder of the records, in the folder of the arrays."""
_DIGEST = "sha256"
_CHUNK = 1 << 20  # bytes
_LIKE_TIMES = ("size", "modified")  # what a copy keeps that keeps times

Record = dict[str, dict[str, Any]]
"""What is known of each file, by its name."""


def record_file(arrays: Path, case: str) -> Path:
    """The record of a case in a folder of arrays."""
    return arrays / SOURCES / f"{case}.json"


def stated(files: Iterable[Path]) -> Record:
    """Size and times of files, to be taken before they are read."""
    return {file.name: _state(file) for file in files}


def digested(files: Iterable[Path]) -> Record:
    """The same with their digests, so that copies of them are known as such."""
    return {file.name: _state(file) | {_DIGEST: _digest(file)} for file in files}


def write_record(arrays: Path, case: str, record: Record) -> None:
    """Write of what the arrays of a case were made; it is written last, so that a case with a record is whole."""
    write_json(record_file(arrays, case), record)


def is_made_of(arrays: Path, case: str, files: Iterable[Path]) -> bool:
    """Whether the arrays of a case were made of what these files hold now; False where there is no record.

    A file with other times is read: if it holds the same, as in a group that was copied, the record gets its times.
    """
    record, files = _read(record_file(arrays, case)), list(files)
    if record.keys() != {file.name for file in files}:
        return False
    new = {}
    for file in files:
        known, state = record[file.name], _state(file)
        if not _agree(known, state, ("size",)):
            return False
        if not _agree(known, state, state):
            state[_DIGEST] = _digest(file)
            if not _agree(known, state, (_DIGEST,)):
                return False
            new[file.name] = state
    if new:
        with suppress(OSError):  # on a disk that is full or read-only it is read again next time
            write_record(arrays, case, record | new)
    return True


def may_have_changed(array: Path, case: str, files: Iterable[Path]) -> bool:
    """Whether one of some files is gone, or has another size or time than when an array was made of it; none is read.

    Where there is no record, as in arrays of stock nnU-Net or of an earlier version, whether one is newer.
    """
    files = list(files)
    if not all(file.is_file() for file in files):
        return True
    record, now = _read(record_file(array.parent, case)), stated(files)
    if not record:
        return any(state["modified"] > array.stat().st_mtime_ns for state in now.values())
    return not all(_agree(record.get(name), state, _LIKE_TIMES) for name, state in now.items())


def _state(file: Path) -> dict[str, Any]:
    status = file.stat()
    return {"size": status.st_size, "modified": status.st_mtime_ns, "changed": status.st_ctime_ns}


def _agree(known: Any, state: dict[str, Any], keys: Iterable[str]) -> bool:
    return isinstance(known, dict) and all(known.get(key) == state[key] for key in keys)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read(file: Path) -> Record:
    """A record; an empty one where there is none, or none that can be read."""
    try:
        content = read_json(file, "plan again")
    except UserError:
        return {}
    return content if isinstance(content, dict) else {}
