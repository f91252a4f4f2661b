"""The folder of a phantom, and how it is distinguished from a folder of real scans."""

from pathlib import Path

TREES = ("BTCV", "CHAOS")
"""Names of the folders of scans."""
SETTINGS_JSON = "phantom.json"
"""File with the settings of the phantom, in the folder that holds ``BTCV`` and ``CHAOS``."""
LICENCE = "free to use: a synthetic phantom, no patient's scans"
REFERENCE = "synthetic phantom of `mass_nnunet phantom`"


def is_phantom(path: Path) -> bool:
    """Whether a folder, ``OUT`` or ``OUT/BTCV``, was made by ``mass_nnunet phantom OUT``, or is an archive of it.

    Real scans may lie beside ``OUT/BTCV``: they are not a phantom.
    """
    path = path.resolve()
    return (path / SETTINGS_JSON).is_file() or (path.stem in TREES and (path.parent / SETTINGS_JSON).is_file())
