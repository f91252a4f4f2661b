"""The folder of a phantom, and how it is distinguished from a folder of real scans."""

from pathlib import Path

SETTINGS_JSON = "phantom.json"
"""File with the settings of the phantom, in the folder that holds ``BTCV`` and ``CHAOS``."""
LICENCE = "free to use: a synthetic phantom, no patient's scans"
REFERENCE = "synthetic phantom of `mass_nnunet phantom`"


def is_phantom(path: Path) -> bool:
    """Whether a folder, such as ``OUT`` or ``OUT/BTCV``, was made by ``mass_nnunet phantom OUT``."""
    path = path.resolve()
    return any((folder / SETTINGS_JSON).is_file() for folder in (path, path.parent))
