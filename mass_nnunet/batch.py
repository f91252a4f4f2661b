"""The layout of a training batch, and what travels with a batch through one training step.

Everything here is frozen and passed on: trainer, network and objective of a step see the same layout, and none can
change it under another.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """A batch of S = N (L + U) scans: modality by modality, L annotated scans and then U unlabelled ones.

    The atlas of each modality is its last annotated scan, for targets of its own modality and of another one. All other
    scans are targets, T = N (L - 1 + U) in all. With L = 1 the annotated scan is both atlas and target, and T = S.

    Args:
        modalities: N.
        labelled: L, annotated scans of each modality.
        unlabelled: U, scans of each modality without annotation.
        offset: modality m takes its other-modality atlas from modality (m + offset) mod N.
        registered: whether atlases are registered to the targets of this batch.
    """

    modalities: int
    labelled: int
    unlabelled: int
    offset: int = 1
    registered: bool = True

    @property
    def scans(self) -> int:
        """S, scans in a batch."""
        return self.modalities * (self.labelled + self.unlabelled)

    def pairs(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Indices into the batch, (T,) each: targets, their same-modality atlases and their other-modality atlases."""
        share, atlas = self.labelled + self.unlabelled, self.labelled - 1
        target, same, other = [], [], []
        for modality in range(self.modalities):
            lender = (modality + self.offset) % self.modalities
            for scan in range(share):
                if scan != atlas or self.labelled == 1:
                    target.append(modality * share + scan)
                    same.append(modality * share + atlas)
                    other.append(lender * share + atlas)
        first, second, third = (torch.tensor(indices, device=device) for indices in (target, same, other))
        return first, second, third

    def is_labelled(self, device: torch.device) -> Tensor:
        """(S,) boolean: which scans of the batch are annotated."""
        share = torch.arange(self.labelled + self.unlabelled, device=device) < self.labelled
        return share.repeat(self.modalities)


class LayoutSequence:
    """The layouts of consecutive batches, of which not all have unlabelled scans.

    The modality that lends the other-modality atlas changes from one batch to the next with the same U. With N > 2 all
    pairs of modalities occur.

    Args:
        whole: layout of a batch with all of its scans, unlabelled ones included.
    """

    def __init__(self, whole: Layout) -> None:
        self.whole = whole
        self._last_offset: dict[int, int] = {}  # by U

    def next(self, scans: int, *, sparing: bool = False) -> Layout:
        """Layout of the next batch.

        Args:
            scans: S, from which U follows. The loaders decide which batches have unlabelled scans.
            sparing: whether to leave a batch without unlabelled scans unregistered, where other batches have some.
        """
        n, labelled = self.whole.modalities, self.whole.labelled
        unlabelled = scans // n - labelled
        offset = 1 if n == 1 else self._last_offset.get(unlabelled, 0) % (n - 1) + 1
        self._last_offset[unlabelled] = offset
        return Layout(n, labelled, unlabelled, offset, registered=not sparing or unlabelled == self.whole.unlabelled)


@dataclass(frozen=True)
class StepContext:
    """Input of the objective in one training step, besides the network's output and the labels.

    Attributes:
        layout: layout of the batch.
        progress: t/T, the share of the training that is done, from 0 to 1.
        pseudo_labels: class probabilities (N U, K, Z, Y, X) of the unlabelled scans, without gradient; None if they
            are not taught.
    """

    layout: Layout
    progress: float
    pseudo_labels: Tensor | None = None


class Scans(NamedTuple):
    """The input of a network that registers scans within a batch.

    Attributes:
        images: (S, C, Z, Y, X).
        layout: layout of the batch.
    """

    images: Tensor
    layout: Layout

    def to(self, device: torch.device, non_blocking: bool = False) -> "Scans":
        """The same on another device; nnU-Net's training step calls it."""
        return self._replace(images=self.images.to(device, non_blocking=non_blocking))


class StepLabels(NamedTuple):
    """Labels and context of a training step, for the objective. A validation step has plain labels instead.

    In nnU-Net's terms this is the step's ``target``. The targets of a registration are scans (see :class:`Layout`).

    Attributes:
        labels: labels from fine to coarse, each (S, 1, Z_s, Y_s, X_s), and what a method's loader appends. The labels
            of unlabelled scans are those that atlases propagated, or unknown.
        context: context of the step.
    """

    labels: list[Tensor]
    context: StepContext

    def to(self, device: torch.device, non_blocking: bool = False) -> "StepLabels":
        """The same on another device; nnU-Net's training step calls it."""
        return self._replace(labels=[scale.to(device, non_blocking=non_blocking) for scale in self.labels])
