"""How well a segmentation agrees with others of the same scan, which err in other places."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.dataset_json import Labels
from mass_nnunet.errors import UserError

from .features import dice
from .grid import Lattice, check_grid, read_shares


def agreement(
    shares: np.ndarray, others: Sequence[Path], labels: Labels, lattice: Lattice, stored: sitk.Image
) -> tuple[np.ndarray | None, list[str]]:
    """Mean soft Dice (K - 1,) of each organ of a segmentation with other segmentations of its scan.

    Args:
        shares: share of each label (K, Z, Y, X), the background first.
        others: the other label maps.
        labels: labels of all of them.
        lattice: that of ``shares``.
        stored: the scan.

    Returns:
        The agreement, None if no label map is left to compare with; and a line for each that was left out, because it
        cannot be read, or is this segmentation once more, with which everything would agree.
    """
    found, marks = [], []
    for file in others:
        try:
            other = read_shares(file, labels, lattice)
            check_grid(file, other.stored, stored)
        except UserError as error:  # the estimate does without it
            marks += str(error).splitlines()
            continue
        if shares[1:].any() and np.array_equal(shares, other.shares):
            marks.append(f"{file} is the same segmentation, and was not compared with: give one of another model")
            continue
        found.append([dice(own, its) for own, its in zip(shares[1:], other.shares[1:], strict=True)])
    return (np.mean(found, axis=0) if found else None), marks


def with_agreement(estimated: np.ndarray, agreed: np.ndarray) -> np.ndarray:
    """An estimate of Dice (K - 1,) that takes in the agreement: the mean of both.

    The agreement alone is too high, because trainings on the same scans share errors; the estimate alone is of a coarse
    grid and of few annotated scans. Their errors differ, so that the mean has smaller ones
    (docs/experiments/quality.md).
    """
    return (estimated + agreed) / 2
