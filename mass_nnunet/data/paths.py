"""nnU-Net's three folders and the datasets in them, with errors that a user can act on."""

from pathlib import Path

from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw, nnUNet_results
from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.errors import UserError

FINAL_CHECKPOINT, LATEST_CHECKPOINT = "checkpoint_final.pth", "checkpoint_latest.pth"
BEST_CHECKPOINT = "checkpoint_best.pth"
"""nnU-Net's file names of the finished model, and of the last and the best state of a training."""
EARLIER_CHECKPOINT = "checkpoint_final_earlier.pth"
"""The finished model of a training that goes on for longer, or begins anew, until that has a finished model, too."""
_FOLDERS = {"raw": nnUNet_raw, "preprocessed": nnUNet_preprocessed, "results": nnUNet_results}


def base_folder(kind: str) -> Path:
    """nnU-Net's ``raw``, ``preprocessed`` or ``results`` folder.

    Raises:
        UserError: the environment variable is not set.
    """
    path = _FOLDERS[kind]
    if not path.is_set():
        raise UserError(f"{path.env_var_name} is not set: run `mass_nnunet env` for the export lines")
    return Path(path.get())


def data_folders_in(folder: Path) -> dict[str, str]:
    """nnU-Net's variables of the data, ``raw`` and ``preprocessed``, for subfolders of a folder."""
    return {f"nnUNet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed")}


def dataset_name(dataset_id: int) -> str:
    """``801`` -> ``Dataset801_BTCV``.

    Raises:
        UserError: no folder, or more than one name, for this id.
    """
    names = [str(name) for name in find_candidate_datasets(int(dataset_id))]
    if not names:
        raise UserError(f"there is no dataset {dataset_id} in {base_folder('raw')}: make it with `mass_nnunet convert`")
    if len(names) > 1:
        raise UserError(f"dataset {dataset_id} has several names ({', '.join(names)}): keep one of them")
    return names[0]


def dataset_folder(kind: str, dataset_id: int) -> Path:
    """The folder of a dataset in ``raw``, ``preprocessed`` or ``results``; it may not exist yet.

    Raises:
        UserError: the environment variable is not set, or there is no single dataset with this id.
    """
    return base_folder(kind) / dataset_name(dataset_id)


def fold_folders(name: str) -> list[Path]:
    """The folders of all trainings of the dataset of this name in ``results``; none where nnUNet_results is not set."""
    return sorted((base_folder("results") / name).glob("*/fold_*")) if nnUNet_results.is_set() else []
