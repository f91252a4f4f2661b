"""The protocol of a converter, which each module of ``datasets/`` follows."""

import argparse
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .source import Source, Target


@runtime_checkable
class Converter(Protocol):
    """Converts a downloaded dataset to nnU-Net raw datasets.

    Each module of ``datasets/`` is a converter; ``mass_nnunet convert NAME --help`` shows its docstring.
    """

    @property
    def NAME(self) -> str:
        """The word after ``mass_nnunet convert``."""

    @property
    def TITLE(self) -> str:
        """Title of the dataset, in the list of all converters."""

    @property
    def LICENCE(self) -> str | None:
        """Licence of the scans; None if only the user knows it."""

    @property
    def REFERENCE(self) -> str | None:
        """Reference to cite for the scans; None if only the user knows it."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of this converter."""

    def targets(self, source: Source, args: argparse.Namespace) -> Sequence[Target]:
        """The nnU-Net datasets to write, with their cases, which are not read yet.

        Raises:
            UserError: ``source`` does not hold such a dataset, or an option is wrong.
        """
