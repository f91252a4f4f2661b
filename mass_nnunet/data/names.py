"""Names of the files of a case in a raw dataset: none may be the name of another case's file."""

import re
from collections.abc import Sequence
from pathlib import Path

from mass_nnunet.errors import UserError

from .nifti_file import ENDINGS

_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
_LABEL_MAP = "_seg"
"""How the names of nnU-Net's preprocessed label maps end."""


def image_name(case: str, channel: int, ending: str) -> str:
    """File name of one channel of a scan: ``btcv_0001_0000.nii.gz``."""
    return f"{case}_{channel:04d}{ending}"


def label_name(case: str, ending: str) -> str:
    """File name of a label map: ``btcv_0001.nii.gz``."""
    return f"{case}{ending}"


def case_of(path: Path, ending: str, channels: Sequence[str], *, preprocessed: bool = True) -> str:
    """The case of one of its images.

    Args:
        path: the image.
        ending: ending of the files of its dataset.
        channels: names of the channels of its dataset.
        preprocessed: whether the case is preprocessed.

    Raises:
        UserError: the name has no channel, or one that the dataset has not, or :func:`check_case_name` raises it.
    """
    name = path.name.removesuffix(ending)
    if (match := _CHANNEL.fullmatch(name)) is None:  # nnU-Net would cut off five characters, whatever they are
        raise UserError(f"{path} has no channel in its name: rename it to {image_name(name, 0, ending)}")
    case, channel = match["case"], int(match["channel"])
    if channel >= len(channels):  # nnU-Net would take it for one more channel of the case
        raise UserError(
            f"{path} is channel {channel} of {case}, and dataset.json has {', '.join(channels)} alone: name the "
            "channel there, for all scans, or remove the file"
        )
    check_case_name(case, path, preprocessed=preprocessed)
    return case


def check_case_name(case: str, path: Path, *, preprocessed: bool = True) -> None:
    """Make sure that no file of a case gets the name of another case's file.

    The preprocessed scan ``x_seg.b2nd`` would be the preprocessed label map of ``x``, and SimpleITK writes
    ``x.nii.nii.gz`` to ``x.nii.gz``.

    Args:
        case: name of the case.
        path: one of its files, for the message.
        preprocessed: whether the case is preprocessed.

    Raises:
        UserError: the case's name ends like this.
    """
    endings = (*ENDINGS, _LABEL_MAP) if preprocessed else ENDINGS
    if ending := next((ending for ending in endings if case.lower().endswith(ending)), None):
        raise UserError(
            f"{path} is of a case whose name ends with {ending}, and its files would be taken for those of "
            f"{case[: -len(ending)]}: rename it, with its label map"
        )
