"""What is fuzzed: a way to make a damaged input, and the functions that read it."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from mass_nnunet.errors import UserError


class Target(ABC):
    """One kind of input.

    Args:
        folder: its own, empty at first.
    """

    name: ClassVar[str]
    needs_plans: ClassVar[bool] = False
    """Whether its folder has to hold the planned group of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def damage(self, rng: random.Random) -> None:
        """Write a damaged input into the folder, in the place of the last one."""

    @abstractmethod
    def read(self) -> None:
        """Read it as the commands do; whatever they refuse raises UserError or OSError."""


def allow(use: Callable[[], object]) -> None:
    """Call a function that may refuse its input."""
    with suppress(UserError, OSError):
        use()
