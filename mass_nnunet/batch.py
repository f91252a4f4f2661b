"""How a training batch is composed, and which of its scans is the atlas of which."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Layout:
    """A batch of S = N (L + U) scans: modality by modality, L labelled scans and then U unlabelled ones.

    Of each modality's scans the last labelled one is the atlas, for targets of its own modality and of another one;
    all others are targets, T = N (L - 1 + U) in all. With L = 1 the one labelled scan is both, and T = S.

    Args:
        modalities: N.
        labelled: L, scans with labels of each modality.
        unlabelled: U, scans without; :meth:`turn` may make it a batch that has none.
    """

    modalities: int
    labelled: int
    unlabelled: int
    # Which other modality lends the atlas: m + offset.
    offset: int = 1
    # The offset of the last batch with so many unlabelled scans.
    _last: dict[int, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        # U of a batch that has all.
        self._most = self.unlabelled
        # Whether the batch's atlases are to be registered.
        self.registered = True

    @property
    def scans(self) -> int:
        """S, scans in a batch."""
        return self.modalities * (self.labelled + self.unlabelled)

    def turn(self, scans: int, *, sparing: bool = False) -> None:
        """Become the layout of the next batch, of S scans: not all have unlabelled ones.

        Another modality lends the atlas than in the last batch of this kind, so that with N > 2 all pairs are met.

        Args:
            scans: S.
            sparing: a batch without unlabelled scans, where others have some, is not to be registered.
        """
        self.unlabelled = scans // self.modalities - self.labelled
        self.registered = not sparing or self.unlabelled == self._most
        self.offset = self._last.get(self.unlabelled, 0) % (self.modalities - 1) + 1
        self._last[self.unlabelled] = self.offset

    def pairs(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Indices into the batch, (T,) each: targets, their atlases of the same modality and those of another one."""
        share, atlas = self.labelled + self.unlabelled, self.labelled - 1
        target, same, other = [], [], []
        for modality in range(self.modalities):
            lender = (modality + self.offset) % self.modalities
            for scan in range(share):
                if scan != atlas or self.labelled == 1:
                    target.append(modality * share + scan)
                    same.append(modality * share + atlas)
                    other.append(lender * share + atlas)
        return tuple(torch.tensor(indices, device=device) for indices in (target, same, other))

    def is_labelled(self, device: torch.device) -> Tensor:
        """(S,) boolean: which scans of the batch have labels."""
        share = torch.arange(self.labelled + self.unlabelled, device=device) < self.labelled
        return share.repeat(self.modalities)
