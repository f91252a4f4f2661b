"""The results folders of a training are its own for as long as it lasts."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.runtime.lock import Lock

BEAT = 10.0
STALE = 120.0
"""Seconds. A training that was killed on another machine is presumed dead so soon, since a cluster may start it again
on a third one, and a benchmark gives the cell of a dead worker to another one after ``lock.STALE``, five times that.
"""


@contextmanager
def only_training_of(folders: Sequence[Path]) -> Iterator[None]:
    """Lock these results folders inside the block. No lock file is left in them at its end, or when it raises.

    Args:
        folders: of a group in one order, whichever of its datasets is trained: one of two trainings gets all.

    Raises:
        SystemExit: another training has one of them; the one line names it.
    """
    with ExitStack() as locks:
        with exit_on_user_error():
            for folder in folders:
                lock = Lock.take(folder, beat=BEAT, stale=STALE, tidy=True)
                if lock is None:
                    raise UserError(
                        f"{folder} belongs to another training, of this or another dataset of the group: start again "
                        f"when that has ended, or, if it was killed on another machine, in {STALE / 60:.0f} minutes"
                    )
                locks.enter_context(lock)
        yield
