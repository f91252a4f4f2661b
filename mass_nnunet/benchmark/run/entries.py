"""The rows of a comparison, as in the grid's file: methods to train, and predictions of other tools."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError, shortened

Values = int | tuple[int, ...]
"""The value of an organ in a label map, or several."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_NAME_RULE = "a name begins with a letter or digit and has letters, digits and . _ + - only"


@dataclass(frozen=True)
class Method:
    """A trainer, and what it is trained with."""

    name: str
    """Name of its row."""
    trainer: str
    plans: str
    configuration: str
    epochs: int | None = None
    """Epochs of a trainer that is not of this package; None for those of the grid's plans."""

    def as_yaml(self) -> dict[str, Any]:
        """An entry of ``methods`` in the grid's file."""
        entry = {key: getattr(self, key) for key in ("name", "trainer", "plans", "configuration")}
        return entry if self.epochs is None else entry | {"epochs": self.epochs}


@dataclass(frozen=True)
class External:
    """Predictions that another tool made."""

    name: str
    folder: Path
    """Absolute path. It has a subfolder for each dataset that the tool segments, or first one for each split."""
    labels: Mapping[str, Values] = field(default_factory=dict)
    """The tool's values of each organ, where they are not those of the dataset."""

    def as_yaml(self) -> Any:
        """The entry in the grid's file, without the name."""
        if not self.labels:
            return str(self.folder)
        labels = {organ: list(value) if isinstance(value, tuple) else value for organ, value in self.labels.items()}
        return {"folder": str(self.folder), "labels": labels}


def read_methods(path: Path, content: Sequence[object], plans: str, configuration: str) -> list[str | Method]:
    """The entries of ``methods`` in a grid's file: names of trainers, and mappings.

    Args:
        path: the file.
        content: the entries.
        plans: the grid's plans, which a mapping may leave out.
        configuration: the grid's configuration.

    Raises:
        UserError: an entry is of another form, or has an unknown key or a wrong value.
    """
    example = "give it as in `methods: [MASSTrainer, {trainer: nnUNetTrainer, plans: nnUNetPlans, name: stock}]`"
    methods: list[str | Method] = []
    for entry in content:
        if isinstance(entry, str) and entry.isidentifier():
            methods.append(entry)
            continue
        if not isinstance(entry, dict):
            raise UserError(f"{path}: methods has {shortened(entry)}, which is not allowed: {example}")
        keys = [one.name for one in fields(Method)]
        if unknown := [key for key in entry if key not in keys]:
            raise UserError(f"{path}: methods has the key {shortened(unknown[0])}: it may have {', '.join(keys)}")
        method = {"plans": plans, "configuration": configuration, "name": entry.get("trainer"), "epochs": None, **entry}
        for key in ("trainer", "plans", "configuration"):
            if not isinstance(method.get(key), str) or not method[key]:
                raise UserError(f"{path}: methods has the {key} {shortened(method.get(key))}: {example}")
        if not method["trainer"].isidentifier():
            shown = shortened(method["trainer"])
            raise UserError(f"{path}: methods has the trainer {shown}, which is no name of a class")
        if method["epochs"] is not None and (type(method["epochs"]) is not int or method["epochs"] < 1):
            raise UserError(f"{path}: methods has the epochs {shortened(method['epochs'])}: give 1 or more")
        check_name(path, "methods", method["name"])
        methods.append(Method(**method))
    return methods


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
        raise UserError(f"{path}: external is {shortened(content)}: {example}")
    found = []
    for name, value in content.items():
        check_name(path, "external", name)
        entry = value if isinstance(value, dict) else {"folder": value}
        if unknown := [key for key in entry if key not in ("folder", "labels")]:
            raise UserError(
                f"{path}: external {name} has the key {shortened(unknown[0])}: it may have folder and labels"
            )
        if not isinstance(entry.get("folder"), str) or not entry["folder"]:
            raise UserError(f"{path}: external {name} has the folder {shortened(entry.get('folder'))}: {example}")
        folder = (path.resolve().parent / Path(entry["folder"]).expanduser()).resolve()
        found.append(External(name, folder, _labels(path, name, entry.get("labels", {}))))
    return tuple(found)


def check_name(path: Path, key: str, name: object) -> None:
    """Make sure that a name can be that of a folder.

    Raises:
        UserError: it cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"{path}: {key} has {shortened(name)}, which is not allowed: {_NAME_RULE}")


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
            raise UserError(f"{path}: two rows have the name {shortened(name)}: give one of them another `name`")


def _labels(path: Path, name: str, content: object) -> dict[str, Values]:
    example = "give them as in `labels: {liver: 5, kidneys: [2, 3]}`"
    if not isinstance(content, dict):
        raise UserError(f"{path}: external {name} has the labels {shortened(content)}: {example}")
    labels: dict[str, Values] = {}
    used: list[int] = []
    for organ, value in content.items():
        values = value if isinstance(value, list) else [value]
        if not isinstance(organ, str) or any(type(one) is not int or one < 1 for one in values):
            raise UserError(f"{path}: external {name} has the label {shortened(organ)}: {shortened(value)}: {example}")
        labels[organ] = tuple(values) if isinstance(value, list) else value
        used += values
    if twice := [value for value in used if used.count(value) > 1]:
        raise UserError(f"{path}: external {name} has the value {twice[0]} twice: a voxel has one label only")
    return labels
