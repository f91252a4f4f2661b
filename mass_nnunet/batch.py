"""The layout of a training batch, and what travels with a batch through one training step.

Everything here is frozen and passed on: trainer, network and objective of a step see the same layout, and none can
change it under another.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """A batch of S = N (L + U) scans: modality by modality, L annotated scans and then U unlabelled ones.

    The atlas of each modality is its last annotated scan, for targets of its own modality and of another one. All other
    scans are targets, T = N (L - 1 + U) in all. With L = 1 the annotated scan is both atlas and target, and T = S.

    A target has A = 2 atlases. With one modality there is no other one, and A = 1.

    A modality that has no annotated scan borrows those of another modality, and treats them as its own.

    Args:
        modalities: N.
        labelled: L, annotated scans of each modality.
        unlabelled: U, scans of each modality without annotation.
        offset: modality m takes its other-modality atlas from modality (m + offset) mod N.
        registered: whether atlases are registered to the targets of this batch.
        borrowing: the modalities whose annotated scans are borrowed from another one.
    """

    modalities: int
    labelled: int
    unlabelled: int
    offset: int = 1
    registered: bool = True
    borrowing: tuple[int, ...] = ()

    @property
    def scans(self) -> int:
        """S, scans in a batch."""
        return self.modalities * (self.labelled + self.unlabelled)

    @property
    def kinds(self) -> int:
        """A, the kinds of atlases that a target has: of its own modality, and of another one if there is one."""
        return min(self.modalities, 2)

    def annotated(self, batch: Tensor) -> Tensor:
        """The annotated scans (N, L, ...) of a batch (S, ...): a view, which needs no index and can be written to."""
        return self._by_modality(batch)[:, : self.labelled]

    def hidden(self, batch: Tensor) -> Tensor:
        """The unlabelled scans (N, U, ...) of a batch (S, ...), likewise."""
        return self._by_modality(batch)[:, self.labelled :]

    def targets(self, batch: Tensor) -> Tensor:
        """The targets (T, ...) of a batch (S, ...)."""
        scans, atlas = self._by_modality(batch), self.labelled - 1
        if self.labelled > 1:
            scans = torch.cat([scans[:, :atlas], scans[:, atlas + 1 :]], dim=1)
        return scans.flatten(0, 1)

    def same_atlases(self, batch: Tensor) -> Tensor:
        """The same-modality atlases (T, ...) of the targets."""
        return self._for_targets(self._by_modality(batch)[:, self.labelled - 1])

    def other_atlases(self, batch: Tensor) -> Tensor:
        """The other-modality atlases (T, ...) of the targets."""
        return self._for_targets(self._by_modality(batch)[:, self.labelled - 1].roll(-self.offset, 0))

    def atlases(self, batch: Tensor) -> Tensor:
        """The atlases (A T, ...) of the targets: those of the same modality, then those of another one."""
        same = self.same_atlases(batch)
        return same if self.kinds == 1 else torch.cat([same, self.other_atlases(batch)])

    def annotated_targets(self, device: torch.device) -> Tensor:
        """(T,) boolean: which targets are annotated."""
        share = self.labelled + self.unlabelled
        return self.targets(torch.arange(self.scans, device=device) % share < self.labelled)

    def comparable(self, targets: Tensor) -> Tensor:
        """The targets (T, ...), or their same-modality atlases, of the pairs that are of one modality.

        An unlabelled target whose modality borrows its atlas is left out.
        """
        if not self.borrowing:
            return targets
        annotated = self._targets_each - self.unlabelled
        by_modality = targets.unflatten(0, (self.modalities, self._targets_each))
        # Views: an index would make a GPU wait.
        return torch.cat([each[:annotated] if m in self.borrowing else each for m, each in enumerate(by_modality)])

    @property
    def _targets_each(self) -> int:
        return self.labelled + self.unlabelled - (self.labelled > 1)

    def _by_modality(self, batch: Tensor) -> Tensor:
        return batch.unflatten(0, (self.modalities, self.labelled + self.unlabelled))

    def _for_targets(self, atlases: Tensor) -> Tensor:
        """One atlas of each modality (N, ...), repeated for the modality's targets (T, ...)."""
        targets = self._targets_each
        return atlases.repeat_interleave(targets, 0, output_size=targets * self.modalities)


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
        registered = not sparing or unlabelled == self.whole.unlabelled
        return replace(self.whole, unlabelled=unlabelled, offset=offset, registered=registered)


@dataclass(frozen=True)
class StepContext:
    """Input of the objective in one training step, besides the network's output and the labels.

    Attributes:
        layout: layout of the batch.
        progress: t/T, the share of the training that is done, from 0 to 1.
        pseudo_labels: class probabilities (N U, K, Z, Y, X) of the unlabelled scans, without gradient; None if they
            are not taught.
        shares: class shares (S, K, Z', Y', X') of all scans at half resolution, annotated or taught; None if the batch
            is not registered.
        known: boolean, of the shape of ``shares``: where it is known if a voxel is of a class; None if it is known
            everywhere.
    """

    layout: Layout
    progress: float
    pseudo_labels: Tensor | None = None
    shares: Tensor | None = None
    known: Tensor | None = None


class Scans(NamedTuple):
    """The input of a network that registers scans within a batch.

    Attributes:
        images: (S, C, Z, Y, X).
        layout: layout of the batch.
        start: the displacements (A T, 3) that the fields of the T targets start from, first those from
            same-modality atlases, in voxels of the coarsest scale, or of the scans for a
            :class:`mass_nnunet.networks.pair.PairNet`; None if they start from zero.
    """

    images: Tensor
    layout: Layout
    start: Tensor | None = None

    def to(self, device: torch.device, non_blocking: bool = False) -> "Scans":
        """The same on another device; nnU-Net's training step calls it."""
        start = None if self.start is None else self.start.to(device, non_blocking=non_blocking)
        return self._replace(images=self.images.to(device, non_blocking=non_blocking), start=start)


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
