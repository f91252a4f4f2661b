"""nnU-Net's commands in forked processes, where it is not the start of the real ones that a test is about."""

import os
from collections.abc import Callable
from pathlib import Path

from forked import Outcome, nnunet, run_forked
from tiny_group import variables

QUICK = ("-device", "cpu", "-npp", "0", "-nps", "0")
"""Options of ``nnUNetv2_predict``: all in one process."""


def forked_command(
    root: Path,
    entry: Callable[[], object],
    *words: str,
    before: Callable[[], None] | None = None,
    status: int = 0,
    **changes: str,
) -> Outcome:
    """Run one of nnU-Net's commands, by its main function, as :func:`tiny_group.command` runs it by its name.

    Args:
        root: of nnU-Net's folders.
        entry: main function, as ``predict_entry_point``. Let it start no processes: they would import torch.
        words: the command line.
        before: what happens in the process before the command.
        status: how it has to end.
        changes: of the environment.
    """

    def begin() -> object:
        os.environ.update(variables(root) | changes)
        if before is not None:
            before()
        return nnunet(entry, *words)()

    outcome = run_forked(begin, patience=600)
    assert outcome.status == status, outcome.output[-3000:]
    return outcome
