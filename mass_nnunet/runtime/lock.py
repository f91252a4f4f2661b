"""The lock of a folder: only one worker at a time works there, of all workers on all machines that share the disk.

The folder has numbered lock files. Whoever *creates* the file with the next number has the folder until the file says
``released``, or is stale. Files of dead holders stay, and this makes it safe: two workers that both find number 4
stale both try to create number 5 with O_CREAT | O_EXCL, which the file system (NFS since version 3, too) lets only one
of them do. There is no moment between the removal of an old lock and the creation of a new one. A list of the folder
that a network file system has cached does no harm: whoever tries to create a number that exists is refused.

A ``tidy`` lock leaves no file behind: its living holder removes its own file at the end, instead of writing
``released``, and all lower ones before. Numbers then begin anew, so whoever has created a number looks again, and steps
back if its predecessor is gone by now or there is a higher one: it went by a list of the folder from before a removal.

The holder touches its file every ``BEAT`` seconds. It is stale when nobody touched it for ``STALE`` seconds (the clocks
of the machines may differ by some minutes), or at once when its process ended on this machine. A holder that was
presumed dead and is not, such as that of a suspended machine, sees that there is a higher number, or that the file of
its own number names another holder or is gone (``lost``), and stops.

Locks of older versions are read as they are: on Linux they name the birth of the holder as this version does. Without
/proc they do not, and such a lock is held while any process has the holder's number and the file is not stale.

Why not filelock or portalocker: both lock an open file by flock, fcntl or LockFileEx. Many network file systems do not
offer these, or only within one machine (NFS without its lock daemon, Lustre mounted with localflock), so that two
machines would both get the lock. The SoftFileLock of filelock creates a file as this module does, but has to remove
that of a dead holder before another can create it, and does not see that a holder on another machine is dead.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mass_nnunet.data.files import write_json

from .process import identify, is_here, runs

BEAT = 30.0
STALE = 600.0
"""Seconds."""


class Lock:
    """A lock, acquired by :meth:`take`; as a context manager it is released at the end of the block."""

    def __init__(self, folder: Path, number: int, owner: dict[str, Any], beat: float, tidy: bool) -> None:
        self._file, self._next, self._owner = _file(folder, number), _file(folder, number + 1), owner
        self._earlier = [_file(folder, earlier) for earlier in _numbers(folder) if earlier < number] if tidy else None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, args=(beat,), daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, folder: Path, *, beat: float = BEAT, stale: float = STALE, tidy: bool = False) -> "Lock | None":
        """Acquire the lock of a folder, which is made if it is absent; None if another worker holds the lock.

        Args:
            folder: folder of the lock files.
            beat: seconds between two touches.
            stale: seconds without a touch after which the holder is presumed dead; many beats.
            tidy: whether the release leaves no lock file in the folder; then all who take its lock say so.
        """
        folder.mkdir(parents=True, exist_ok=True)
        record = _read(folder)
        if _is_held(record, stale):
            return None
        number = record.number if record else 0
        owner = identify(os.getpid()) | {"holder": uuid.uuid4().hex}  # a process may have had a lock of the same number
        try:
            descriptor = os.open(_file(folder, number + 1), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return None
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(owner, file)
        except OSError:  # on a full disk it would be half-written, and held until it is stale
            _file(folder, number + 1).unlink(missing_ok=True)
            raise
        if max(_numbers(folder), default=0) > number + 1 or (number and not _file(folder, number).exists()):
            _file(folder, number + 1).unlink()
            return None
        return cls(folder, number + 1, owner, beat, tidy)

    @property
    def lost(self) -> bool:
        """Whether another worker took the lock over, because it presumed this process dead; not after the release.

        That worker may have ended by now: a tidy one has removed the files of both, and a third one may have made a
        file of the same name.
        """
        if self._ended.is_set():
            return False
        return self._next.exists() or (self._file.parent.is_dir() and not self._is_own())

    def release(self) -> None:
        """Release the lock."""
        self._ended.set()
        self._thread.join()
        if not self._is_own():
            return
        if self._earlier is None:
            write_json(self._file, self._owner | {"released": time.time()})
        else:
            for file in (*self._earlier, self._file):  # its own last: until then the lock is held
                file.unlink(missing_ok=True)

    def _is_own(self) -> bool:
        """Whether the file of this number is there and names this holder."""
        try:
            return bool(json.loads(self._file.read_text(encoding="utf-8")) == self._owner)
        except (FileNotFoundError, json.JSONDecodeError):  # another holder is just writing it
            return False

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self, beat: float) -> None:
        while not self._ended.wait(beat):
            # A network file system may be unavailable for a while.
            with suppress(OSError):
                if self._is_own():
                    os.utime(self._file)


def is_held(folder: Path, *, stale: float = STALE) -> bool:
    """Whether a living worker has the lock of a folder."""
    return _is_held(_read(folder), stale)


def becomes_free(folders: Sequence[Path], *, beat: float = BEAT, stale: float = STALE) -> bool:
    """Whether the lock of one of these folders, which others hold, becomes free, since its holder ends or is dead.

    A job that a cluster has killed and starts again on another machine meets its own lock there. So a holder on another
    machine is watched until it touches its file, and so shows that it lives, or is presumed dead. A line tells of the
    first such wait.

    Args:
        folders: folders of lock files.
        beat: seconds between two touches.
        stale: seconds without a touch after which a holder is presumed dead.

    Returns:
        True after a pause, since the list of a folder that a network file system has cached may be older than the lock:
        whoever tries again at once would do so many times a second. False as soon as all holders are known to live.
    """
    end, pause = time.monotonic() + stale + beat, min(1.0, beat / 10)  # whatever the clocks of the machines say
    first: dict[Path, _Record] = {}
    watched = list(folders)
    while watched:
        for folder in tuple(watched):
            record = _read(folder)
            if record is None or not _is_held(record, stale):
                time.sleep(pause)
                return True
            if record.owner is not None:
                if is_here(record.owner) or first.get(folder, record) != record:
                    watched.remove(folder)
                    continue
                if not first:
                    _tell_of_wait(folder, record.owner["host"], stale)
                first[folder] = record
            if time.monotonic() > end:
                watched.remove(folder)
        if watched:
            time.sleep(pause)
    return False


def _tell_of_wait(folder: Path, host: str, stale: float) -> None:
    print(
        f"{folder} is locked by a process on {host}: waiting for a sign that it lives, up to {stale / 60:.0f} minutes",
        flush=True,
    )


class _Record(NamedTuple):
    """The newest lock file of a folder.

    Attributes:
        number: in its name.
        owner: its content; None while it is being written, or removed. If its writer has died, it becomes stale.
        touched: when, in nanoseconds; None where it is being removed.
    """

    number: int
    owner: dict[str, Any] | None
    touched: int | None


def _read(folder: Path) -> _Record | None:
    """The newest lock file of a folder; None if there is none."""
    number = max(_numbers(folder), default=0)
    if number == 0:
        return None
    owner = touched = None
    try:
        touched = _file(folder, number).stat().st_mtime_ns
        owner = json.loads(_file(folder, number).read_text(encoding="utf-8"))
    except FileNotFoundError:
        touched = None
    except json.JSONDecodeError:
        pass
    return _Record(number, owner, touched)


def _is_held(record: _Record | None, stale: float) -> bool:
    if record is None:
        return False
    if record.touched is None:
        return True  # It is being released; a number after one that is gone would not count.
    if time.time() - record.touched / 1e9 > stale:
        return False
    return record.owner is None or (
        "released" not in record.owner and (not is_here(record.owner) or runs(record.owner))
    )


def _file(folder: Path, number: int) -> Path:
    return folder / f"lock-{number:04d}"


def _numbers(folder: Path) -> list[int]:
    """The numbers of all lock files, from the lowest."""
    return sorted(int(file.name.rpartition("-")[2]) for file in folder.glob("lock-*"))
