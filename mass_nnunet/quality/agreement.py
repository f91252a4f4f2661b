"""How well a segmentation agrees with others of the same scan, which err in other places."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mass_nnunet.data.dataset_json import Labels
from mass_nnunet.data.label_map import mask_of, read_label_map
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND

from .features import dice
from .grid import check_grid


def agreement(prediction: Path, others: Sequence[Path], labels: Labels) -> tuple[dict[str, float], list[str]]:
    """Mean Dice of each organ of a segmentation with other segmentations of its scan.

    Args:
        prediction: the label map.
        others: the other label maps.
        labels: labels of all of them.

    Returns:
        The agreement by organ, empty if no label map is left to compare with; and a line for each that does not count,
        because it cannot be read or equals one that does: everything agrees with itself.

    Raises:
        UserError: ``prediction`` is no sound label map.
    """
    own = read_label_map(prediction, labels)
    known, notes = [own.values], []
    for file in others:
        try:
            other = read_label_map(file, labels)
            check_grid(file, other.image, own.image)
        except UserError as error:  # the estimate does without it
            notes += str(error).splitlines()
            continue
        if other.values.any() and any(np.array_equal(other.values, one) for one in known):
            notes.append(
                f"{file} equals another segmentation of its scan and does not count: give one of another model"
            )
            continue
        known.append(other.values)
    if len(known) == 1:
        return {}, notes
    found = {}
    for organ, value in labels.items():
        if organ != BACKGROUND:
            first, *masks = (mask_of(values, value) for values in known)
            found[organ] = float(np.mean([dice(first, mask) for mask in masks]))
    return found, notes


def joined(estimated: float, agreed: float) -> float:
    """An estimate of Dice that takes in the Dice with other segmentations: the mean of both.

    The agreement alone is too high, because trainings on the same scans share errors; the estimate alone is of a coarse
    grid and of few annotated scans. Their errors differ, so that the mean has smaller ones
    (docs/experiments/quality.md).
    """
    return (estimated + agreed) / 2
