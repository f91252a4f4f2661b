"""SingleTrainer: the base of methods that train one dataset of a group alone."""

from collections.abc import Iterable
from typing import ClassVar

from .group import GroupTrainer


class SingleTrainer(GroupTrainer):
    """A method of one modality: it trains its own dataset alone, a group of one, by a network of one modality."""

    trains_group: ClassVar = False

    def activate(self, modalities: Iterable[int]) -> None:
        """Nothing to do: the network has one modality only."""
