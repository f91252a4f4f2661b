"""What a converter makes of a source: datasets to be written, each a list of cases that are read one by one."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.raw import Part
from mass_nnunet.errors import UserError


class Volumes(NamedTuple):
    """A scan as it was read.

    Attributes:
        image: the scan.
        label: uint8 label map on the grid of ``image``, with the dataset's own values; None for a scan without.
        notes: what was corrected on the way, a sentence each.
    """

    image: sitk.Image
    label: sitk.Image | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case(ABC):
    """One scan of a source dataset. Small and picklable: the voxels are read by a worker process.

    Attributes:
        name: case identifier of the nnU-Net dataset.
        patient: identifier shared by all scans of one person.
        label: file or folder of the expert's labels, None for a scan without.
        part: where the dataset's authors put it, None where we may choose.
        may_stop_short: whether organs may be annotated in a part of the scan only; an organ that ends abruptly inside
            the scan then counts as not annotated.
    """

    name: str
    patient: str
    label: Path | None = None
    part: Part | None = None
    may_stop_short: bool = False

    @property
    @abstractmethod
    def source(self) -> Path:
        """File or folder of the scan, for messages."""

    @abstractmethod
    def files(self) -> list[Path]:
        """All files that :meth:`read` reads."""

    @abstractmethod
    def read(self) -> Volumes:
        """The scan in its native grid, with its label map where it has one.

        Raises:
            UserError: a file is damaged, or files do not belong together.
        """

    def described(self) -> dict[str, object]:
        """What the converted case depends on besides its files, by names that stay when an attribute is renamed.

        The record of a conversion is compared by it. A subclass adds what else decides how its files are read; values
        are those that JSON has.
        """
        return {
            "case": self.name,
            "patient": self.patient,
            "labelled": self.label is not None,
            "part": None if self.part is None else self.part.word,
            "may stop short": self.may_stop_short,
        }


class Target(NamedTuple):
    """An nnU-Net dataset that is to be written.

    Attributes:
        dataset_id: nnU-Net's number.
        name: the dataset's, without ``DatasetXXX_``.
        channel: ``CT`` or ``MRI``.
        labels: name to value, background 0.
        cases: what goes into it.
        licence: under which terms the scans may be used, None where that is not known.
        reference: what to cite, None where that is not known.
        may_join: whether the scans, as scans without labels, may go into a dataset that has the id already.
    """

    dataset_id: int
    name: str
    channel: str
    labels: Mapping[str, int]
    cases: Sequence[Case]
    licence: str | None
    reference: str | None
    may_join: bool = False


class Source(NamedTuple):
    """Where a dataset is read from.

    Attributes:
        path: what the user named.
        roots: the folders to look in: the named one, and those that its archives were unpacked to.
    """

    path: Path
    roots: tuple[Path, ...]

    def walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        """Every folder at or below the roots, with its visible subfolders and files, sorted; links are followed.

        A caller may shorten the list of subfolders to leave some out. A link to a folder that was visited is not
        followed again.

        Raises:
            UserError: a link leads nowhere.
        """
        seen: set[str] = set()
        for root in self.roots:
            for folder, subfolders, files in os.walk(root, followlinks=True):
                real = os.path.realpath(folder)
                # What an archiver of macOS adds mirrors the real tree and holds no images.
                subfolders[:] = [] if real in seen else sorted(s for s in subfolders if _is_visible(s))
                if real not in seen:
                    seen.add(real)
                    files = sorted(name for name in files if _is_visible(name))
                    for path in (Path(folder) / name for name in files):
                        if not path.exists():
                            raise UserError(f"{path} is a link that leads nowhere: mend or remove it")
                    yield Path(folder), subfolders, files

    def folders(self, name: str) -> list[Path]:
        """Every folder called ``name`` at or below the roots, whatever the archives were unpacked into."""
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
    """The files of a folder with one of the endings, sorted; hidden ones (``._x.dcm``) are no data."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(suffixes) and _is_visible(path.name))


def stem(path: Path) -> str:
    """The name of a NIfTI file without its ending."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def map_labels(values: np.ndarray, table: Mapping[int, int], source: Path) -> np.ndarray:
    """Translate the values of a source to those of the dataset.

    Args:
        values: any shape, any type.
        table: from each known value of the source to the dataset's.
        source: file that ``values`` came from, for the message.

    Returns:
        uint8, of the same shape.

    Raises:
        UserError: a value is not in the table.
    """
    lookup = np.full(max(table) + 2, -1, np.int16)  # one more, for whatever lies outside
    lookup[list(table)] = list(table.values())
    outside = len(lookup) - 1
    indices: np.ndarray = values
    if not np.issubdtype(values.dtype, np.integer):
        whole = np.isfinite(values) & (values == np.rint(values))
        indices = np.where(whole & (np.abs(values) < outside), values, outside).astype(np.int32)
    elif values.size and (values.min() < 0 or values.max() > outside):
        indices = np.where((values >= 0) & (values < outside), values, outside)
    result = lookup[indices]
    if result.size and result.min() < 0:
        unknown = values[result < 0].flat[0]
        raise UserError(f"{source} holds the value {unknown:g}, which stands for nothing: correct or remove the file")
    return result.astype(np.uint8)


def check_annotated(values: np.ndarray, source: Path) -> None:
    """Make sure that a label map is not empty.

    Raises:
        UserError: it holds nothing but 0.
    """
    if not values.any():
        raise UserError(f"{source} annotates nothing: get the right file, or remove it to use the scan without labels")
