"""The labels that every abdominal dataset of a group shares."""

from collections.abc import Iterable

BACKGROUND = "background"
IGNORE = "ignore"
"""nnU-Net's name of the label of voxels that nobody has annotated."""
LABELS = {BACKGROUND: 0, "spleen": 1, "right_kidney": 2, "left_kidney": 3, "liver": 4}
ORGANS = tuple(name for name in LABELS if name != BACKGROUND)

UNKNOWN = 2**15 - 1
"""In what is known of an unlabelled scan: a voxel of which nothing is known."""
ELSEWHERE = 2**15 - 2
"""In what is known of an unlabelled scan: a voxel where no organ can be (registration/place.py)."""


def number_labels(names: Iterable[str]) -> dict[str, int]:
    """Labels of a dataset with these organs: those of ``ORGANS`` first and in their order, then the others as given.

    Datasets with the same organs then have the same labels.
    """
    names = [name for name in names if name != BACKGROUND]
    ordered = [name for name in ORGANS if name in names] + [name for name in names if name not in ORGANS]
    return {name: number for number, name in enumerate([BACKGROUND, *ordered])}
