"""The rows of a comparison as the grid's file gives them: methods to train, and predictions of other tools."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError

Values = int | tuple[int, ...]
"""The value of an organ in a label map, or several."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_NAME_RULE = "a name begins with a letter or digit and has letters, digits and . _ + - only"


@dataclass(frozen=True)
class External:
    """Predictions that another tool made."""

    name: str
    folder: Path
    """Absolute path. It has a subfolder for each dataset that the tool segments, or first one for each split."""
    labels: Mapping[str, Values] = field(default_factory=dict)
    """The tool's values of each organ, where they are not those of the dataset."""

    def as_yaml(self) -> Any:
        """What the grid's file has after the name."""
        if not self.labels:
            return str(self.folder)
        labels = {organ: list(value) if isinstance(value, tuple) else value for organ, value in self.labels.items()}
        return {"folder": str(self.folder), "labels": labels}


def read_external(path: Path, content: object) -> tuple[External, ...]:
    """The entry ``external`` of a grid's file.

    Args:
        path: the file; folders are relative to its folder.
        content: the value of the entry.

    Raises:
        UserError: it is no mapping from names to folders, or its labels are wrong.
    """
    example = "give it as in `external: {TotalSegmentator: folder}`"
    if not isinstance(content, dict):
        raise UserError(f"{path}: external is {content!r}: {example}")
    found = []
    for name, value in content.items():
        check_name(path, "external", name)
        entry = value if isinstance(value, dict) else {"folder": value}
        if unknown := [key for key in entry if key not in ("folder", "labels")]:
            raise UserError(f"{path}: external {name} has the key {unknown[0]!r}: it may have folder and labels")
        if not isinstance(entry.get("folder"), str) or not entry["folder"]:
            raise UserError(f"{path}: external {name} has the folder {entry.get('folder')!r}: {example}")
        folder = (path.resolve().parent / Path(entry["folder"]).expanduser()).resolve()
        found.append(External(name, folder, _labels(path, name, entry.get("labels", {}))))
    return tuple(found)


def check_name(path: Path, key: str, name: object) -> None:
    """Make sure that a name can be that of a folder.

    Raises:
        UserError: it cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"{path}: {key} has {name!r}, which cannot be: {_NAME_RULE}")


def check_unique(path: Path, names: Sequence[str]) -> None:
    """Make sure that no two rows have one folder, also where a file system ignores upper and lower case.

    Raises:
        UserError: two have.
    """
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise UserError(f"{path}: {other!r} and {name!r} differ in upper and lower case only: rename one of them")
        if names.count(name) > 1:
            raise UserError(f"{path}: two rows have the name {name!r}: give one of them another `name`")


def _labels(path: Path, name: str, content: object) -> dict[str, Values]:
    example = "give them as in `labels: {liver: 5, kidneys: [2, 3]}`"
    if not isinstance(content, dict):
        raise UserError(f"{path}: external {name} has the labels {content!r}: {example}")
    labels: dict[str, Values] = {}
    used: list[int] = []
    for organ, value in content.items():
        values = value if isinstance(value, list) else [value]
        if not isinstance(organ, str) or any(type(one) is not int or one < 1 for one in values):
            raise UserError(f"{path}: external {name} has the label {organ!r}: {value!r}: {example}")
        labels[organ] = tuple(values) if isinstance(value, list) else value
        used += values
    if twice := [value for value in used if used.count(value) > 1]:
        raise UserError(f"{path}: external {name} has the value {twice[0]} twice: a voxel has one label only")
    return labels
