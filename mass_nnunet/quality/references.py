"""The annotated scans of a split: the only label maps that quality reads beside the predictions."""

from collections.abc import Iterable
from pathlib import Path

from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.errors import UserError

from .evidence import Reference
from .grid import check_grid, read_scan, read_shares

LEAST = 2
"""Annotated scans that are needed: each is estimated by the others."""


def annotated_cases(dataset: RawDataset, fold: Fold) -> tuple[str, ...]:
    """Cases of a fold whose label maps may be read and are whole: its training and its validation cases.

    Test cases and cases without labels are never among them. Scans that are annotated in part, or in some slices only,
    are left out: what is unknown in them would count as background.

    Raises:
        UserError: there are fewer than :data:`LEAST`.
    """
    train = fold.train if fold.sparse == 1 else ()
    cases = tuple(case for case in (*train, *fold.val) if case not in fold.annotated)
    if len(cases) < LEAST:
        raise UserError(
            f"{dataset.name} has {len(cases)} wholly annotated scans in this fold, and at least {LEAST} are needed: "
            "name another fold with -f, or annotate more scans"
        )
    return cases


def fold_of(dataset: RawDataset, number: int) -> Fold:
    """A fold of a dataset.

    Raises:
        UserError: it does not exist (:func:`load_fold`).
    """
    return load_fold(base_folder("preprocessed") / dataset.name, number)


def files_of(dataset: RawDataset, cases: Iterable[str]) -> dict[str, tuple[Path, Path]]:
    """First channel and label map of annotated cases.

    Raises:
        UserError: a file does not exist.
    """
    found = {}
    for case in cases:
        label = dataset.label(TRAINING, case)
        if label is None:
            raise UserError(f"{dataset.label_path(TRAINING, case)} does not exist: copy the label map again")
        found[case] = (dataset.images(TRAINING, case)[0], label)
    return found


def read_reference(image: Path, label: Path, dataset: RawDataset) -> Reference:
    """Read an annotated scan; voxels of the label ``ignore`` count as none of the others.

    Raises:
        UserError: a file is no sound scan or label map, or the two have different grids.
    """
    scan, stored = read_scan(image, dataset.channels[0])
    segmented = read_shares(label, dataset.values)
    check_grid(label, segmented.stored, stored)
    return Reference(scan, segmented.shares[: len(dataset.labels)])  # ``ignore`` comes last
