"""Folders that one process at a time writes into: a second one is refused in a line that names the folder."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mass_nnunet.errors import UserError

from .lock import Lock, is_held

BEAT = 10.0
STALE = 120.0
"""Seconds after which a process that was killed on another machine is presumed dead. This is a fifth of ``lock.STALE``,
after which a benchmark gives the cell of a dead worker to another one, because a cluster may start the process again on
a third machine.
"""


@contextmanager
def only_user_of(folders: Sequence[Path], users: str) -> Iterator[None]:
    """Lock these folders inside the block. No lock file is left in them at its end, or when it raises.

    A folder is made if it is absent, and removed if it is still empty at the end.

    Args:
        folders: in the same order in all processes that use several of them: one of two processes gets all.
        users: what uses them, for the message: ``training, of this or another dataset of the group``.

    Raises:
        UserError: another process has one of them; the one line names it.
    """
    with ExitStack() as locks:
        for folder in folders:
            if not folder.exists():
                locks.callback(_remove_empty, folder)
            lock = Lock.take(folder, beat=BEAT, stale=STALE, tidy=True)
            if lock is None:
                raise _refusal(folder, users)
            locks.enter_context(lock)
        yield


def check_free(folders: Sequence[Path], users: str) -> None:
    """Make sure that no other process has one of these folders, and lock none of them.

    Raises:
        UserError: another process has one.
    """
    for folder in folders:
        if is_held(folder, stale=STALE):
            raise _refusal(folder, users)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _refusal(folder: Path, users: str) -> UserError:
    return UserError(
        f"{folder} belongs to another {users}: start again when that has ended, or, if it was killed on another "
        f"machine, in {STALE / 60:.0f} minutes"
    )
