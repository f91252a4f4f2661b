"""``dataset.json``: its entries and their form."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE

from .files import read_json

DATASET_JSON = "dataset.json"
READER_KEY = "overwrite_image_reader_writer"
"""nnU-Net's key of its reader in dataset.json."""
Labels = Mapping[str, int | Sequence[int]]
"""Name to value, or to the values of a region."""
FLAT = (".png", ".jpg", ".jpeg", ".bmp")
"""Endings of two-dimensional images."""
_EXAMPLES = {
    "channel_names": '{"0": "CT"}',
    "labels": '{"background": 0, "spleen": 1, "liver": 2}',
    "numTraining": "16",
    "file_ending": '".nii.gz"',
}
REQUIRED = tuple(_EXAMPLES)
_TURNING_READERS = ("NibabelIOWithReorient", "SimpleITKIOWithReorient")
"""Readers that turn each scan to RAS, and the prediction back."""
_SHOWN = 80  # characters of a value in a message


def read_dataset_json(path: Path, remedy: str, required: Collection[str] = REQUIRED) -> dict[str, Any]:
    """Read a ``dataset.json``, and check the form of the entries that this package uses.

    Args:
        path: the file.
        remedy: what to do where it is absent or no JSON.
        required: entries that may not be absent.

    Raises:
        UserError: the file is absent or no JSON, lacks an entry, or has one of another form.
    """
    content = read_json(path, remedy)
    if not isinstance(content, dict):
        raise UserError(f'{path} is not of the form {{"labels": ..., "channel_names": ...}}: {remedy}')
    if absent := [key for key in required if key not in content]:
        raise UserError(f"{path} lacks {', '.join(absent)}: add it as nnU-Net's dataset format asks")
    for key, has_form in _FORMS.items():
        if key in content and not has_form(content[key]):
            shown = json.dumps(content[key])
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
            raise UserError(f'{path} has "{key}": {shown}, which is of another form: write "{key}": {_EXAMPLES[key]}')
    ending = content.get("file_ending", ".nii.gz")
    if ending.lower() in FLAT:
        raise UserError(
            f"{path} has the file_ending {ending}, of two-dimensional images: 3D only, make volumes (.nii.gz) of them"
        )
    if ending != ending.lower():
        raise UserError(
            f"{path} has the file_ending {ending}, with which nnU-Net cannot write: rename the files to "
            f"*{ending.lower()}, and change the entry"
        )
    return content


def turned_by_reader(content: Mapping[str, Any]) -> bool:
    """Whether nnU-Net turns the scans of a dataset to RAS when it reads them.

    Args:
        content: content of ``dataset.json``.
    """
    return content.get(READER_KEY) in _TURNING_READERS


def _is_channels(value: Any) -> bool:
    """``{"0": "CT", "1": "PET"}``, in this order, which is the order of the channels in nnU-Net."""
    if not isinstance(value, dict) or not value:
        return False
    return list(value) == [str(i) for i in range(len(value))] and all(map(_is_text, value.values()))


def _is_labels(value: Any) -> bool:
    if not isinstance(value, dict) or not value or not all(map(_is_label, value.values())):
        return False
    return all(_is_count(value.get(name, 0)) for name in (BACKGROUND, IGNORE))  # no regions


def _is_label(value: Any) -> bool:
    """A value, or the values of a region."""
    return all(map(_is_count, value)) and bool(value) if isinstance(value, list) else _is_count(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_ending(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(".") and len(value) > 1


_FORMS: dict[str, Callable[[Any], bool]] = {
    "channel_names": _is_channels,
    "labels": _is_labels,
    "numTraining": _is_count,
    "file_ending": _is_ending,
}
