"""Annotated training scans in which some voxels or structures were not annotated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import blosc2
import numpy as np
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from .possible import PossibleClasses, Unannotated


@dataclass(frozen=True)
class KnownLabels:
    """The label map of a preprocessed scan without what was not annotated, which is read but never passed on.

    It serves nnU-Net's loader as an array does: it has a shape and a type, and is cut by slices.

    Attributes:
        labels: of the scan, (1, Z, Y, X).
        possible: of the training.
        missing: classes that were not annotated: their voxels and the background become one label.
        sparse: every n-th slice is annotated; the others get the label ``ignored``.
    """

    labels: blosc2.NDArray | np.ndarray
    possible: PossibleClasses
    missing: Unannotated = ()
    sparse: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, Z, Y, X)."""
        return self.labels.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return np.dtype(np.int16)

    @property
    def is_annotated(self) -> np.ndarray:
        """Boolean (Z,): the annotated slices."""
        return annotated_slices(self.shape[1], self.sparse)

    def __getitem__(self, index: slice | tuple[slice, ...]) -> np.ndarray:
        """The labels in a box; as in an array, axes that are not given are taken whole."""
        _, along, *_ = (*(index if isinstance(index, tuple) else (index,)), slice(None))
        values = np.array(self.labels[index], np.int16)
        if self.missing:
            values[np.isin(values, (0, *self.missing))] = self.possible.background(self.missing)
        values[:, ~self.is_annotated[along]] = self.possible.ignored
        return values


def annotated_slices(count: int, sparse: int) -> np.ndarray:
    """Boolean (Z,): every n-th of Z slices, at least one; the first one is in the middle of the first n."""
    return np.arange(count) % sparse == min(sparse, count) // 2


class AnnotatedDataset(nnUNetDatasetBlosc2):
    """Annotated scans as nnU-Net has preprocessed them, without what was not annotated.

    Args:
        preprocessed: nnU-Net's folder of preprocessed scans.
        identifiers: of the cases.
        possible: of the training.
        missing: classes that were not annotated, by case.
        sparse: every n-th slice is annotated.
    """

    def __init__(
        self,
        preprocessed: str,
        identifiers: Sequence[str],
        possible: PossibleClasses,
        missing: Mapping[str, Unannotated],
        sparse: int,
    ) -> None:
        super().__init__(preprocessed, list(identifiers))
        self.possible, self.missing, self.sparse = possible, missing, sparse

    def load_case(self, identifier: str) -> tuple[blosc2.NDArray, KnownLabels, None, dict[str, Any]]:
        """Image (C, Z, Y, X), its :class:`KnownLabels`, no previous stage, and nnU-Net's properties.

        The properties list voxels of each class, here only those that were annotated. Where nnU-Net ignores a label, it
        also looks for annotated voxels: if preprocessing collected none, a random one is added.
        """
        image, labels, _, properties = super().load_case(identifier)
        known = KnownLabels(labels, self.possible, self.missing.get(identifier, ()), self.sparse)
        is_annotated = known.is_annotated
        locations = {}
        for classes, voxels in properties["class_locations"].items():
            kept = voxels if len(voxels) == 0 else voxels[is_annotated[voxels[:, 1]]]
            locations[classes] = [] if classes in known.missing else kept
        everywhere = (-1, *range(self.possible.classes))  # nnU-Net's key of annotated voxels
        if self.possible.ignores and everywhere not in locations:
            corner = [np.random.randint(size) for size in known.shape]  # noqa: NPY002, workers seed it
            corner[1] = np.random.choice(np.flatnonzero(is_annotated))  # noqa: NPY002
            locations[everywhere] = np.array([corner])
        return image, known, None, {**properties, "class_locations": locations}
