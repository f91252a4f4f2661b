"""The scans of a dataset that somebody could annotate next, and those that are annotated already."""

from dataclasses import dataclass
from pathlib import Path

from mass_nnunet.data.outdated import check_fold
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TEST, TRAINING, UNLABELLED, RawDataset
from mass_nnunet.data.splits import SPLITS_JSON, load_fold
from mass_nnunet.errors import UserError


@dataclass(frozen=True)
class Pool:
    """Scans of one dataset. No scan of a patient who is validated on or tested on is among them.

    Attributes:
        dataset: the raw dataset.
        unlabelled: scans of ``imagesUn``, and those whose labels the fold hides: the candidates.
        annotated: scans whose labels the fold uses.
    """

    dataset: RawDataset
    unlabelled: tuple[str, ...]
    annotated: tuple[str, ...]

    @property
    def modality(self) -> str:
        """Name of the first channel."""
        return self.dataset.channels[0]

    def files(self, case: str) -> list[Path]:
        """Files of a scan, one for each channel.

        Raises:
            UserError: a file does not exist.
        """
        part = UNLABELLED if self.dataset.image_paths(UNLABELLED, case)[0].is_file() else TRAINING
        return self.dataset.images(part, case)


def splits_file(dataset: RawDataset) -> Path:
    """Path of the splits of a dataset; the file may not exist.

    Raises:
        UserError: nnUNet_preprocessed is not set.
    """
    return base_folder("preprocessed") / dataset.name / SPLITS_JSON


def load_pool(dataset: RawDataset, fold: int) -> Pool:
    """The scans of a dataset by a fold of its splits. Without splits, those of ``imagesTr`` are annotated.

    No label is read.

    Args:
        dataset: the raw dataset.
        fold: number of the fold.

    Raises:
        UserError: the splits are older than the dataset, or have no such fold.
    """
    patients = dataset.patients()
    file = splits_file(dataset)
    if file.exists():
        cases = load_fold(file.parent, fold)
        check_fold(cases, fold, file, dataset)
        unlabelled, annotated, held_out = cases.unlabelled, cases.train, cases.val
    else:
        unlabelled, annotated, held_out = tuple(dataset.cases(UNLABELLED)), tuple(dataset.cases(TRAINING)), ()
    never = {patients[case] for case in (*held_out, *dataset.cases(TEST))}
    return Pool(dataset, tuple(case for case in unlabelled if patients[case] not in never), annotated)


def load_pools(dataset_ids: list[int], fold: int) -> list[Pool]:
    """The pools of some datasets.

    Raises:
        UserError: see :func:`load_pool`; or none has a scan that could be annotated.
    """
    pools = [load_pool(RawDataset.load(dataset_id), fold) for dataset_id in dict.fromkeys(dataset_ids)]
    if not any(pool.unlabelled for pool in pools):
        names = " and ".join(pool.dataset.name for pool in pools)
        raise UserError(f"{names}: no scan without annotation to train on: put scans into {UNLABELLED}")
    return pools
