"""The results folders of a training are its own for as long as it lasts."""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch.distributed as dist
from nnunetv2.utilities.file_path_utilities import get_output_folder

from mass_nnunet.data.paths import BEST_CHECKPOINT, FINAL_CHECKPOINT, LATEST_CHECKPOINT, base_folder
from mass_nnunet.errors import FULL, UserError, disk_line, exit_on_user_error
from mass_nnunet.runtime.exclusive import OwnFolders, check_free, only_user_of

from .inputs import PlannedDataset

USERS = "training, of this or another dataset of the group"
_GOES_ON = ", and go on with --c from the last checkpoint"
_FAILING = (errno.EROFS, errno.EIO, errno.ESTALE)
"""Numbers of the errors of a disk, wherever the file is."""
_WRITERS = ("inline_container", "PytorchStreamWriter")
"""What torch names in its errors of a file that it cannot write to the end."""


def results_folders(
    datasets: Sequence[PlannedDataset], trainer: str, configuration: str, fold: int | str
) -> list[Path]:
    """The folder of each dataset into which a training writes, in the order of the datasets.

    Raises:
        UserError: nnUNet_results is not set.
    """
    base_folder("results")
    names = [(dataset.folder.name, dataset.plans["plans_name"]) for dataset in datasets]
    return [Path(get_output_folder(name, trainer, plans, configuration, fold)) for name, plans in names]


def checkpoint_to_go_on_from(folder: Path) -> Path | None:
    """The file from which ``nnUNetv2_train --c`` goes on; None where there is none."""
    files = [folder / name for name in (FINAL_CHECKPOINT, LATEST_CHECKPOINT, BEST_CHECKPOINT)]
    return next((file for file in files if file.is_file()), None)


def is_first_process() -> bool:
    """Whether this process is the only one of the training, or the first, which has the locks of all."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def refuse_if_trained_meanwhile(folders: Sequence[Path]) -> None:
    """Make sure that no other training has these results folders.

    Raises:
        UserError: another training has one.
    """
    if is_first_process():
        check_free(folders, USERS)


@contextmanager
def disk_failures_told(file: Path | None = None, *, is_begun: bool = True) -> Iterator[None]:
    """Say in one line that a file cannot be read or written, and how the training goes on.

    An error that is not of a disk, and names no file in nnU-Net's folders, stays what it is: of a program that is
    missing, or a cache of fonts.

    Args:
        file: what is written in the block, for errors that do not name it, as those of torch.
        is_begun: whether there may be a checkpoint from which the training goes on.

    Raises:
        UserError: the disk is full, read-only or gone, or a file in nnU-Net's folders cannot be read or written.
    """
    goes_on = _GOES_ON if is_begun else ""
    try:
        yield
    except OSError as error:
        if not _is_of_disk(error):
            raise
        raise UserError(f"{disk_line(error)}{goes_on}") from error
    except RuntimeError as error:
        if file is None:
            raise
        check_there(file.parent)
        if not any(name in str(error) for name in _WRITERS):
            raise
        raise UserError(f"{file} cannot be written: make room on the disk{goes_on}") from error


def _is_of_disk(error: OSError) -> bool:
    if error.errno in FULL:
        return True
    if not isinstance(error.filename, str | os.PathLike):  # of a process, a connection or a terminal
        return False
    return error.errno in _FAILING or _is_of_nnunet(Path(error.filename).absolute())


def _is_of_nnunet(file: Path) -> bool:
    """Whether a file is in one of nnU-Net's three folders."""
    for kind in ("raw", "preprocessed", "results"):
        with suppress(UserError):  # the variable is not set
            if file.is_relative_to(base_folder(kind).absolute()):
                return True
    return False


@contextmanager
def only_training_of(folders: Sequence[Path]) -> Iterator[OwnFolders]:
    """Lock these results folders inside the block. No lock file is left in them at its end, or when it raises.

    The block gets the claim to them, which it may lose while the machine is suspended.

    Args:
        folders: of a group in one order, whichever of its datasets is trained: one of two trainings gets all.

    Raises:
        SystemExit: another training has one of them, or took one over, or the disk fails; the one line names it. Or the
            training was interrupted.
    """
    with interruption_told(), exit_on_user_error(), disk_failures_told(), only_user_of(folders, USERS) as claim:
        yield claim


@contextmanager
def interruption_told(*, is_begun: bool = True) -> Iterator[None]:
    """Say in one line that a training was interrupted (Ctrl-C), and how it goes on.

    Args:
        is_begun: whether there may be a checkpoint from which the training goes on.

    Raises:
        SystemExit: it was, with the status of a shell, 130.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted{': go on with --c from the last checkpoint' if is_begun else ''}", file=sys.stderr)
        raise SystemExit(130) from None


def check_there(*folders: Path) -> None:
    """Make sure that results folders are there: what is written into a new one is hidden when the old one comes back.

    Raises:
        UserError: one is not.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is gone: bring it back, and train again with --c")
