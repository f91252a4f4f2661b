"""The results folders of a training are its own for as long as it lasts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch.distributed as dist
from nnunetv2.utilities.file_path_utilities import get_output_folder

from mass_nnunet.data.paths import BEST_CHECKPOINT, FINAL_CHECKPOINT, LATEST_CHECKPOINT, base_folder
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.runtime.exclusive import Claim, check_free, only_user_of

from .inputs import PlannedDataset

USERS = "training, of this or another dataset of the group"


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
def only_training_of(folders: Sequence[Path]) -> Iterator[Claim]:
    """Lock these results folders inside the block. No lock file is left in them at its end, or when it raises.

    The block gets the claim to them, which it may lose while the machine is suspended.

    Args:
        folders: of a group in one order, whichever of its datasets is trained: one of two trainings gets all.

    Raises:
        SystemExit: another training has one of them, or took one over; the one line names it.
    """
    with exit_on_user_error(), only_user_of(folders, USERS) as claim:
        yield claim
