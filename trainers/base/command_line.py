"""Options of nnU-Net's command line that nnU-Net does not pass on to a trainer."""

import sys
from collections.abc import Sequence


def only_validates(words: Sequence[str] | None = None) -> bool:
    """Whether ``nnUNetv2_train --val`` runs: a finished model is validated, and nothing is trained.

    Args:
        words: the command line; None for that of this process.
    """
    return "--val" in (sys.argv if words is None else words)
