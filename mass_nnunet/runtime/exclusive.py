"""Folders that one process at a time writes into: a second one is refused in a line that names the folder."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mass_nnunet.errors import UserError

from .lock import Lock, becomes_free, is_held

BEAT = 10.0
STALE = 120.0
"""Seconds after which a process that was killed on another machine is presumed dead. This is a fifth of ``lock.STALE``,
after which a benchmark gives the cell of a dead worker to another one, because a cluster may start the process again on
a third machine.
"""
_TRIES = 120
"""To lock a folder that looks free, a second apart: a network disk may show a new lock file after a minute only."""


class OwnFolders:
    """The folders that a process has for itself, until the end of :func:`only_user_of`.

    Args:
        locks: the lock of each folder.
        users: what uses them, for the message.
    """

    def __init__(self, locks: Mapping[Path, Lock], users: str) -> None:
        self._locks, self._users = dict(locks), users

    def check(self) -> None:
        """Make sure that this process still has the folders; a suspended machine may lose them.

        Raises:
            UserError: another process took one over.
        """
        for folder, lock in self._locks.items():
            if lock.lost:
                raise UserError(
                    f"{folder} was taken over by another {self._users}, since this process gave no sign of life for "
                    f"{STALE / 60:.0f} minutes: let that one end"
                )


@contextmanager
def only_user_of(folders: Sequence[Path], users: str) -> Iterator[OwnFolders]:
    """Lock these folders inside the block. No lock file is left in them at its end, or when it raises.

    A folder is made if it is absent, and removed if it is still empty at the end. Where a process on another machine
    has the lock, which may have been killed, this one waits until it knows, up to ``STALE`` seconds.

    Args:
        folders: all processes that use several of them name them in the same order; else each could get some.
        users: what uses them, for the message: ``training, of this or another dataset of the group``.

    Raises:
        UserError: another process has one of them, or took one over meanwhile; the one line names it.
    """
    with ExitStack() as stack:
        locks: dict[Path, Lock] = {}
        for folder in folders:
            if not folder.exists():
                stack.callback(_remove_empty, folder)
            lock = _take(folder)
            if lock is None:
                raise _refusal(folder, users)
            locks[folder] = stack.enter_context(lock)
        own = OwnFolders(locks, users)
        yield own
        own.check()


def check_free(folders: Sequence[Path], users: str) -> None:
    """Make sure that no other process has one of these folders, and lock none of them; it waits as the lock does.

    Raises:
        UserError: another process has one.
    """
    for folder in folders:
        if is_held(folder, stale=STALE) and not becomes_free([folder], beat=BEAT, stale=STALE):
            raise _refusal(folder, users)


def _take(folder: Path) -> Lock | None:
    for _ in range(_TRIES):
        lock = Lock.take(folder, beat=BEAT, stale=STALE, tidy=True)
        if lock is not None or not becomes_free([folder], beat=BEAT, stale=STALE):
            return lock
    return None


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _refusal(folder: Path, users: str) -> UserError:
    return UserError(f"{folder} belongs to another {users}: start again when that has ended")
