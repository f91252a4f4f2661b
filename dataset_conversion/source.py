"""The source of a conversion, and the datasets to write: each is a list of cases, which are read one by one."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.files import check_link
from mass_nnunet.data.label_map import exactly, whole_values
from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import Part
from mass_nnunet.errors import UserError


class Volumes(NamedTuple):
    """A scan and its label map.

    Attributes:
        image: the scan.
        label: label map (uint8) on the grid of ``image``, with the dataset's values; None for a scan without labels.
        notes: one sentence for each correction.
    """

    image: sitk.Image
    label: sitk.Image | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case(ABC):
    """One scan of a source dataset. It is small and picklable, because a worker process reads the voxels.

    Attributes:
        name: case identifier in the nnU-Net dataset.
        patient: identifier shared by all scans of one patient.
        label: file or folder of the expert's labels; None for a scan without labels.
        part: part chosen by the dataset's authors; None if we may choose.
        may_stop_short: whether organs may be annotated in a part of the scan only. An organ that ends abruptly inside
            the scan then counts as not annotated.
        complete: whether all organs were annotated that the scan shows. An organ without a voxel is then outside of the
            scan, and a scan without any organ is left out.
    """

    name: str
    patient: str
    label: Path | None = None
    part: Part | None = None
    may_stop_short: bool = False
    complete: bool = False

    @property
    @abstractmethod
    def source(self) -> Path:
        """File or folder of the scan, for messages."""

    @abstractmethod
    def files(self) -> list[Path]:
        """All files that :meth:`read` reads."""

    @abstractmethod
    def read(self) -> Volumes:
        """Read the scan on its native grid, and its label map if it has one.

        Raises:
            UserError: a file is damaged, or files do not belong together.
        """

    def read_more(self, image: sitk.Image) -> list[sitk.Image]:
        """Read the further channels of the scan, on the grid of its first one: none.

        Args:
            image: the first channel, as :meth:`read` returns it.

        Raises:
            UserError: as :meth:`read`, or a channel is on another grid.
        """
        return []

    def described(self) -> dict[str, object]:
        """Everything besides the files that the converted case depends on, as JSON content.

        Conversions are compared by it, so its keys do not change if an attribute is renamed. A subclass adds what else
        determines how its files are read.
        """
        return {
            "case": self.name,
            "patient": self.patient,
            "labelled": self.label is not None,
            "part": None if self.part is None else self.part.word,
            "may stop short": self.may_stop_short,
        }


class Target(NamedTuple):
    """An nnU-Net dataset to write.

    Attributes:
        dataset_id: nnU-Net's dataset id.
        name: name of the dataset, without ``DatasetXXX_``.
        channel: ``CT`` or another modality, of the first channel of each scan.
        labels: name to value, background 0.
        cases: cases of the dataset.
        licence: licence of the scans; None if it is not known.
        reference: reference to cite; None if it is not known.
        may_join: whether the scans may join an existing dataset with this id, as scans without labels.
        pose: order and direction of the axes of all scans.
        more_channels: names of the further channels.
    """

    dataset_id: int
    name: str
    channel: str
    labels: Mapping[str, int]
    cases: Sequence[Case]
    licence: str | None
    reference: str | None
    may_join: bool = False
    pose: Pose = Pose.UPRIGHT
    more_channels: tuple[str, ...] = ()

    @property
    def channels(self) -> list[str]:
        """Names of all channels, in their order."""
        return [self.channel, *self.more_channels]


class Source(NamedTuple):
    """The folders from which a dataset is read.

    Attributes:
        path: the path that the user gave.
        roots: folders to search: the given one, and those of its unpacked archives.
    """

    path: Path
    roots: tuple[Path, ...]

    def walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        """Every folder at or below the roots, with its visible subfolders and files, sorted; links are followed.

        A caller may shorten the list of subfolders to leave some out. A link to a folder that was visited is not
        followed again.

        Raises:
            UserError: a link is broken.
        """
        seen: set[str] = set()
        for root in self.roots:
            for folder, subfolders, files in os.walk(root, followlinks=True):
                real = os.path.realpath(folder)
                # An archiver of macOS adds a mirror of the tree without images, which is skipped.
                subfolders[:] = [] if real in seen else sorted(s for s in subfolders if _is_visible(s))
                if real not in seen:
                    seen.add(real)
                    files = sorted(name for name in files if _is_visible(name))
                    for path in (Path(folder) / name for name in files):
                        check_link(path)
                    yield Path(folder), subfolders, files

    def folders(self, name: str) -> list[Path]:
        """Every folder called ``name`` at or below the roots, at any depth."""
        found = [root for root in self.roots if root.resolve().name == name]
        for folder, subfolders, _ in self.walk():
            if folder in found:
                subfolders.clear()
            elif name in subfolders:
                found.append(folder / name)
                subfolders.remove(name)
        return found


def _is_visible(name: str) -> bool:
    return name != "__MACOSX" and not name.startswith(".")


def visible_files(folder: Path, *suffixes: str) -> list[Path]:
    """The sorted files of a folder with one of the endings, without hidden ones such as ``._x.dcm``.

    The endings are in lower case, those of the files in any: scanners write ``.DCM`` and ``.NII``.

    Raises:
        UserError: one of the files is a broken link.
    """
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if path.name.lower().endswith(suffixes) and _is_visible(path.name))
    for path in found:
        check_link(path)
    return found


def stem(path: Path) -> str:
    """The name of a NIfTI file without its ending, in whatever letters that is: ``x.NII.GZ`` -> ``x``."""
    ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)]


def map_labels(values: np.ndarray, table: Mapping[int, int], source: Path) -> np.ndarray:
    """Translate the values of a source to those of the dataset.

    Args:
        values: any shape, any type; :func:`whole_values` tells whether some of them are rounded.
        table: the dataset's value for each known value of the source.
        source: file of ``values``, for the message.

    Returns:
        uint8, of the same shape.

    Raises:
        UserError: a value is not in the table.
    """
    lookup = np.full(max(table) + 2, -1, np.int16)  # one more, for whatever lies outside
    lookup[list(table)] = list(table.values())
    outside = len(lookup) - 1
    indices, _ = whole_values(values, source)
    if indices.size and (indices.min() < 0 or indices.max() > outside):
        indices = np.where((indices >= 0) & (indices < outside), indices, outside)
    result = lookup[indices]
    if result.size and result.min() < 0:
        unknown = exactly(values[result < 0].flat[0])
        raise UserError(f"{source} holds the value {unknown}, which is no known label: correct or remove the file")
    return result.astype(np.uint8)


def check_annotated(values: np.ndarray, source: Path) -> None:
    """Check that a label map is not empty.

    Raises:
        UserError: all values are 0.
    """
    if not values.any():
        raise UserError(
            f"{source} has no annotated voxel: get the right file, or remove it to use the scan without labels"
        )
