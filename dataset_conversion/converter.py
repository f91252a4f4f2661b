"""What a module of ``datasets/`` has to offer."""

import argparse
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .source import Source, Target


@runtime_checkable
class Converter(Protocol):
    """How a dataset, as it is downloaded, becomes nnU-Net raw datasets.

    A module of ``datasets/`` is a converter; ``mass_nnunet convert NAME --help`` shows its docstring.
    """

    @property
    def NAME(self) -> str:
        """The word after ``mass_nnunet convert``."""

    @property
    def TITLE(self) -> str:
        """What it converts, in one line for the list of all converters."""

    @property
    def LICENCE(self) -> str | None:
        """Under which terms its scans may be used; None where only the user knows."""

    @property
    def REFERENCE(self) -> str | None:
        """What a user of its scans cites; None where only the user knows."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options that no other converter has."""

    def targets(self, source: Source, args: argparse.Namespace) -> Sequence[Target]:
        """The nnU-Net datasets to be written: their cases are found, but not read yet.

        Raises:
            UserError: ``source`` does not hold such a dataset, or an option is wrong.
        """
