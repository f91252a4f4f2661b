"""Listing of the folders of a raw dataset or of predictions: no file is passed over without a word."""

import os
from pathlib import Path

from mass_nnunet.errors import UserError

from .files import check_link
from .nifti_file import ENDINGS


def listed(folder: Path, ending: str) -> list[Path]:
    """The sorted files of a folder with the ending of its dataset; an empty list if there is no such folder.

    Hidden files are among them, as in nnU-Net.

    Raises:
        UserError: the folder or one of the files is a broken link, or a scan has another ending, such as ``.NII.GZ`` or
            ``.nii``, with which nnU-Net would silently pass it over.
    """
    check_link(folder)
    if not folder.is_dir():
        return []
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.lower()
            if not name.endswith((ending.lower(), *ENDINGS)):
                continue
            path = folder / entry.name
            if entry.is_symlink():
                check_link(path)
            if not entry.name.endswith(ending):
                how = "rename it to" if name.endswith(ending.lower()) else "save it as"
                wanted = f"{entry.name[: _length_of_stem(name, ending)]}{ending}"
                raise UserError(f"{path} does not end with {ending} as its dataset's files do: {how} {wanted}")
            found.append(path)
    return sorted(found)


def _length_of_stem(name: str, ending: str) -> int:
    """Length of a name (in lower case) without its ending."""
    known = max((e for e in (ending.lower(), *ENDINGS) if name.endswith(e)), key=len)
    return len(name) - len(known)
