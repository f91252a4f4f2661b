"""The annotated scans of a split: the only label maps that quality reads beside the predictions."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.errors import UserError
from mass_nnunet.labels import IGNORE

from .evidence import Reference
from .grid import Lattice, check_grid, common_lattice, read_scan, read_shares

LEAST = 2
"""Patients with annotated scans that are needed: each is estimated by the others."""
LEAST_EXTENT = 20.0
"""Extent in mm through the slices that an annotated scan needs, if others are ignored."""


def annotated_cases(dataset: RawDataset, fold: Fold) -> tuple[str, ...]:
    """Cases of a fold whose label maps may be read and are whole: its training and its validation cases.

    Test cases and cases without labels are never among them. Scans that are annotated in part, or in some slices only,
    are left out: what is unknown in them would count as background.

    Raises:
        UserError: they are of fewer than :data:`LEAST` patients.
    """
    train = fold.train if fold.sparse == 1 else ()
    cases = tuple(case for case in (*train, *fold.val) if case not in fold.annotated)
    _check_enough(dataset, cases)
    return cases


def _check_enough(dataset: RawDataset, cases: Iterable[str]) -> None:
    patients = dataset.patients()
    count = len({patients[case] for case in cases})
    if count < LEAST:
        raise UserError(
            f"{dataset.name} has wholly annotated scans of {count} patients in this fold, and at least {LEAST} are "
            "needed: name another fold with -f, or annotate more scans"
        )


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


def read_references(
    files: Mapping[str, tuple[Path, Path]], dataset: RawDataset
) -> tuple[dict[str, Reference], list[str]]:
    """Read annotated scans without the slices at their ends that have voxels of the label ``ignore``.

    What is there is not known. Scans with such voxels between other slices are left out.

    Args:
        files: as :func:`files_of`.
        dataset: the dataset.

    Returns:
        The annotated scans by case, and a sentence for each that is left out.

    Raises:
        UserError: a file is no sound scan or label map, the two have different grids, or what is left is of fewer than
            :data:`LEAST` patients.
    """
    patients = dataset.patients()
    lattice = common_lattice(image for image, _ in files.values())
    found, notes = {}, []
    for case, (image, label) in files.items():
        reference = _read(image, label, dataset, patients[case], lattice)
        if reference is not None:
            found[case] = reference
        else:
            where = f"voxels of the label {IGNORE!r} between its other slices"
            notes.append(f"{label} has {where}: the scan counts as annotated in part, left out")
    _check_enough(dataset, found)
    return found, notes


def lattice_of_all(references: Mapping[str, Reference]) -> Lattice:
    """The lattice in which annotated scans were read, and in which scans and label maps beside them are."""
    return next(iter(references.values())).scan.lattice


def _read(image: Path, label: Path, dataset: RawDataset, patient: str, lattice: Lattice) -> Reference | None:
    """Read an annotated scan; None if it is annotated in part.

    Raises:
        UserError: a file is no sound scan or label map, or the two have different grids.
    """
    scan, stored = read_scan(image, dataset.channels[0], lattice)
    segmented = read_shares(label, dataset.values, lattice)
    check_grid(label, segmented.stored, stored)
    count = len(dataset.labels)  # ``ignore`` comes after them
    kept = _annotated_slices(segmented.shares[count:].max((0, 2, 3), initial=0) > 0, scan.edges[0])
    if kept is None:
        return None
    return Reference(replace(scan, image=scan.image[kept]), segmented.shares[:count, kept], patient, kept)


def _annotated_slices(ignored: np.ndarray, edge: float) -> slice | None:
    """The slices (Z,) of an edge in mm between ignored ones at the ends; None if others are, too, or few are left."""
    if not ignored.any():
        return slice(None)
    known = np.flatnonzero(~ignored)
    if len(known) < round(LEAST_EXTENT / edge) or ignored[known[0] : known[-1]].any():
        return None
    return slice(int(known[0]), int(known[-1]) + 1)
