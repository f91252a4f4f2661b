"""The datasets whose folds belong together, and the folders that nobody may use while their folds are extended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mass_nnunet.data.files import read_json
from mass_nnunet.data.paths import base_folder, fold_folders
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.splits import load_fold
from mass_nnunet.runtime.exclusive import check_free, only_user_of

from .pool import splits_file

_PLANS = "MASSPlans.json"


def group_of(datasets: Sequence[RawDataset], exported_with: Sequence[str]) -> list[RawDataset]:
    """All datasets whose folds have the same numbers: those of the plans, and those among which scans were suggested.

    Args:
        datasets: some of them.
        exported_with: names of datasets among which the scans were suggested.

    Raises:
        UserError: one does not exist any more.
    """
    ids = [dataset.id for dataset in datasets] + [int(name[7:10]) for name in exported_with]
    for dataset in datasets:
        plans = base_folder("preprocessed") / dataset.name / _PLANS
        if plans.exists():
            content = read_json(plans, "run `mass_nnunet plan` again")
            ids += [int(modality["dataset"][7:10]) for modality in content["mass"]["modalities"]]
    return [RawDataset.load(ident) for ident in dict.fromkeys(ids)]


@contextmanager
def alone(group: Sequence[RawDataset]) -> Iterator[None]:
    """Lock the preprocessed folders of a group inside the block.

    Raises:
        UserError: `mass_nnunet plan`, another `annotate-in` or a training uses one of the datasets.
    """
    preprocessed = sorted(base_folder("preprocessed") / dataset.name for dataset in group)
    with only_user_of(preprocessed, "`mass_nnunet plan` or `annotate-in`"):
        check_free([folder for dataset in group for folder in fold_folders(dataset.name)], "training")
        yield


def read_splits(group: Sequence[RawDataset], fold: int) -> dict[str, list[dict[str, Any]]] | None:
    """Entries of the splits of all datasets of a group, by name; None if there are no splits at all.

    Args:
        group: the datasets.
        fold: a fold that all have.

    Raises:
        UserError: one has no splits, or no such fold, or splits that stock nnU-Net made.
    """
    files = {dataset.name: splits_file(dataset) for dataset in group}
    if not any(file.exists() for file in files.values()):
        return None
    for file in files.values():
        load_fold(file.parent, fold)
    return {name: read_json(file, "split again") for name, file in files.items()}
