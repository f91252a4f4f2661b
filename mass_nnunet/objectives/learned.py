"""Which classes the head segments by now on annotated scans, and may be taught on unlabelled ones."""

import torch
from torch import Tensor

from mass_nnunet.batch import Layout
from mass_nnunet.losses.overlap import one_hot

DECAY = 0.95
"""Weight of what was seen before, at each step: the overlap is that of about the last 20 steps."""


class LearnedClasses:
    """Soft Dice of the head on the annotated scans of the last steps, by modality and class.

    A network finds large organs first. Until it finds a small one, its teacher is sure that this organ is background,
    and to learn that delays the organ further. In FlexMatch (Zhang et al., NeurIPS 2021) a class teaches by how well it
    is learned, judged on unlabelled images; here annotated scans judge.

    It is on the device of the training and is never read by the host. A resumed training begins it anew.

    Args:
        threshold: soft Dice from which on a class is learned.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._overlap: Tensor | None = None  # (2, N, K - 1): twice the intersection, and the sum of the two

    @torch.no_grad()
    def update(self, logits: Tensor, labels: Tensor, layout: Layout) -> None:
        """Take in the annotated scans of a step.

        Args:
            logits: (S, K, Z, Y, X), at any scale.
            labels: (S, 1, Z, Y, X), at the same scale; voxels of no class do not count, nor those of unlabelled scans.
            layout: layout of the batch.
        """
        known = layout.annotated(labels)
        classes = logits.shape[1]
        probabilities = layout.annotated(logits).float().softmax(2) * (known < classes)  # (N, L, K, Z, Y, X)
        true = one_hot(known.flatten(0, 1), classes).unflatten(0, known.shape[:2])
        axes = (1, 3, 4, 5)
        both = 2 * (probabilities * true).sum(axes)[:, 1:]
        overlap = torch.stack([both, (probabilities + true).sum(axes)[:, 1:]])
        self._overlap = overlap if self._overlap is None else DECAY * self._overlap + overlap

    @property
    def table(self) -> Tensor:
        """Boolean (N, K - 1): whether modality n's head has learned a foreground class.

        Raises:
            RuntimeError: no scan was seen.
        """
        if self._overlap is None:
            raise RuntimeError("update() first")
        both, either = self._overlap
        return both >= self.threshold * either
