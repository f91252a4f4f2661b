"""What every public dataset is brought to before it is written: a list of cases that can be read one by one."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Case(ABC):
    """One scan of a source dataset. Small and picklable: the voxels are read by a worker process.

    Attributes:
        name: case identifier of the nnU-Net dataset.
        patient: identifier shared by all scans of one person.
        label: file or folder of the expert's labels, None for a scan without.
    """

    name: str
    patient: str
    label: Path | None

    @abstractmethod
    def label_values(self) -> set[int]:
        """The values of ``mass_nnunet.organs.LABELS`` that occur; reads the labels only."""

    @abstractmethod
    def read_image(self) -> sitk.Image:
        """The scan in its native grid."""

    @abstractmethod
    def read_labelled(self) -> tuple[sitk.Image, sitk.Image]:
        """The scan and its label map (uint8, ``LABELS``) on the same grid."""


def find_folders(root: Path, name: str) -> list[Path]:
    """Every folder called ``name`` at or below ``root``, whatever the archives were unpacked into.

    Raises:
        UserError: ``root`` is not a folder.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder: give the folder that the dataset was unpacked into")
    if root.resolve().name == name:
        return [root]
    found = []
    for folder, subfolders, _ in os.walk(root):
        if name in subfolders:
            found.append(Path(folder) / name)
        # What an archiver of macOS adds mirrors the real tree and holds no images.
        subfolders[:] = [sub for sub in subfolders if sub not in (name, "__MACOSX") and not sub.startswith(".")]
    return sorted(found)


def visible_files(folder: Path, *suffixes: str) -> list[Path]:
    """The files of a folder with one of the endings, sorted; hidden ones (``._x.dcm``) are no data."""
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.name.lower().endswith(suffixes) and not path.name.startswith(".")
    )


def map_labels(values: np.ndarray, table: np.ndarray, source: Path) -> np.ndarray:
    """Translate the values of a dataset to ``LABELS``.

    Args:
        values: any shape, any type.
        table: the label of each known value, -1 for a value that must not occur.
        source: file that ``values`` came from, for the message.

    Raises:
        UserError: a value is not in the table.
    """
    indices = values.astype(np.int32)
    known = (indices == values) & (indices >= 0) & (indices < len(table))
    known[known] = table[indices[known]] >= 0
    if not known.all():
        unknown = values[~known].flat[0]
        raise UserError(f"{source} holds the value {unknown}, which stands for no organ: correct or remove the file")
    return table[indices].astype(np.uint8)


def values_in(labels: Iterable[np.ndarray]) -> set[int]:
    """The values that occur in label maps of type uint8."""
    present: set[int] = set()
    for label in labels:
        present.update(np.flatnonzero(np.bincount(label.ravel())).tolist())
    return present
