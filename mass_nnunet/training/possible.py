"""The classes that a voxel of an annotated scan can have, by its label.

With K classes, a label below K is a class. The label K is nnU-Net's ``ignore``: any class. A label above K is
background of scans in which some structures were not annotated: background, or one of these structures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mass_nnunet.data.annotated import Annotated
from mass_nnunet.labels import BACKGROUND, IGNORE

Unannotated = tuple[int, ...]
"""Sorted classes that were not annotated in a scan."""


@dataclass(frozen=True)
class PossibleClasses:
    """The classes that are possible at each label of the annotated scans of a training.

    Attributes:
        classes: K, with background.
        ignores: whether there may be voxels with the label K.
        unannotated: the structures that are missing in scans, each set once; the i-th has the label K + 1 + i.
    """

    classes: int
    ignores: bool = False
    unannotated: tuple[Unannotated, ...] = ()

    @property
    def ignored(self) -> int:
        """K, the label of a voxel of any class."""
        return self.classes

    @property
    def everything_known(self) -> bool:
        """Whether all labels are classes."""
        return not (self.ignores or self.unannotated)

    def background(self, missing: Unannotated) -> int:
        """The label of background in scans without these structures."""
        return self.classes + 1 + self.unannotated.index(missing) if missing else 0

    def table(self) -> Tensor:
        """Boolean (V, K): whether label v can be class k, for all V labels."""
        known = torch.eye(self.classes, dtype=torch.bool)
        rows = [known, torch.ones(1, self.classes, dtype=torch.bool)]
        rows += [known[[0, *missing]].any(0, keepdim=True) for missing in self.unannotated]
        return torch.cat(rows)


def missing_classes(annotated: Sequence[str] | None, labels: Mapping[str, int]) -> Unannotated:
    """The classes of a dataset that are not among the annotated structures of a scan; none for None.

    Args:
        annotated: names of structures.
        labels: name to class, with background; ``ignore`` may be among them.
    """
    if annotated is None:
        return ()
    return tuple(sorted(value for name, value in labels.items() if name not in (*annotated, BACKGROUND, IGNORE)))


def possible_classes(labels: Mapping[str, int], ignores: bool, annotated: Iterable[Annotated]) -> PossibleClasses:
    """The possible classes in the annotated scans of a group.

    Args:
        labels: name to class, the same in all datasets; ``ignore`` may be among them.
        ignores: whether voxels may be ignored in any of them.
        annotated: of each dataset, the scans that are annotated in part.
    """
    missing = {missing_classes(names, labels) for scans in annotated for names in scans.values()}
    return PossibleClasses(len(set(labels) - {IGNORE}), ignores, tuple(sorted(missing)))
