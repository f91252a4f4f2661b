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
presumed dead and is not, such as that of a suspended machine, sees that there is a higher number (``lost``), and stops.

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
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mass_nnunet.data.files import write_json

from .process import identify, is_here, runs

BEAT = 30.0
STALE = 600.0
"""Seconds."""


def tell_of_wait(folder: Path, host: str, stale: float = STALE) -> None:
    """Print why a process waits for :func:`becomes_free`."""
    print(
        f"{folder} is locked by a process on {host}: waiting for a sign that it lives, up to {stale / 60:.0f} minutes",
        flush=True,
    )


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
        number = _newest(folder)
        if _is_held(folder, number, stale):
            return None
        owner = identify(os.getpid())
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
        if _newest(folder) > number + 1 or (number and not _file(folder, number).exists()):
            _file(folder, number + 1).unlink()
            return None
        return cls(folder, number + 1, owner, beat, tidy)

    @property
    def lost(self) -> bool:
        """Whether another worker took the lock over, because it presumed this process dead.

        That worker may have ended by now: a tidy one has removed the files of both.
        """
        removed = self._earlier is not None and self._file.parent.is_dir() and not self._file.exists()
        return removed or self._next.exists()

    def release(self) -> None:
        """Release the lock."""
        self._ended.set()
        self._thread.join()
        if self._earlier is None:
            write_json(self._file, self._owner | {"released": time.time()})
        else:
            for file in (*self._earlier, self._file):  # its own last: until then the lock is held
                file.unlink(missing_ok=True)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self, beat: float) -> None:
        while not self._ended.wait(beat):
            # A network file system may be unavailable for a while.
            with suppress(OSError):
                os.utime(self._file)


def is_held(folder: Path, *, stale: float = STALE) -> bool:
    """Whether a living worker has the lock of a folder."""
    return _is_held(folder, _newest(folder), stale)


def becomes_free(folders: Sequence[Path], *, beat: float, stale: float, tell: Callable[[Path, str], None]) -> bool:
    """Whether the lock of one of these folders, which others hold, becomes free, since its holder ends or is dead.

    A job that a cluster has killed and starts again on another machine meets its own lock there. So a holder on another
    machine is watched until it touches its file, and so shows that it lives, or is presumed dead.

    Args:
        folders: folders of lock files.
        beat: seconds between two touches.
        stale: seconds without a touch after which a holder is presumed dead.
        tell: gets a folder and the name of the other machine, once, before the wait.

    Returns:
        False as soon as all holders are known to live.
    """
    end = time.monotonic() + stale + beat  # whatever the clocks of the machines say
    first: dict[Path, tuple[str, int]] = {}
    watched = list(folders)
    while watched:
        for folder in tuple(watched):
            if not is_held(folder, stale=stale):
                return True
            with suppress(OSError, json.JSONDecodeError):  # it is being released, or written
                file = _file(folder, _newest(folder))
                owner, sign = json.loads(file.read_text(encoding="utf-8")), (file.name, file.stat().st_mtime_ns)
                if is_here(owner) or first.get(folder, sign) != sign:
                    watched.remove(folder)
                    continue
                if not first:
                    tell(folder, owner["host"])
                first[folder] = sign
            if time.monotonic() > end:
                watched.remove(folder)
        if watched:
            time.sleep(min(1.0, beat / 10))
    return False


def _is_held(folder: Path, number: int, stale: float) -> bool:
    file = _file(folder, number)
    try:
        if number == 0 or time.time() - file.stat().st_mtime > stale:
            return False
        owner = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True  # It is being released; a number after one that is gone would not count.
    except json.JSONDecodeError:
        return True  # It is being written. If its writer died meanwhile, it becomes stale.
    return "released" not in owner and (not is_here(owner) or runs(owner))


def _file(folder: Path, number: int) -> Path:
    return folder / f"lock-{number:04d}"


def _newest(folder: Path) -> int:
    """The highest number of a lock file; 0 if there is none."""
    return max(_numbers(folder), default=0)


def _numbers(folder: Path) -> list[int]:
    """The numbers of all lock files, from the lowest."""
    return sorted(int(file.name.rpartition("-")[2]) for file in folder.glob("lock-*"))
