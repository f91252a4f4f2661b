"""A scan in one NIfTI file, with its label map in another one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.data.label_map import whole_values
from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.data.volume import (
    SIMILAR_GRID,
    aligned,
    describe_grid,
    grid_distance,
    label_like,
    on_grid_of,
    read_volume,
)
from mass_nnunet.dataset_conversion.source import Case, Volumes, check_annotated, map_labels, visible_files
from mass_nnunet.errors import UserError


@dataclass(frozen=True, kw_only=True)
class NiftiCase(Case):
    """A scan in a NIfTI file, with its label map in another file on the same grid.

    Attributes:
        image: file of the scan.
        table: the dataset's label for each value of the label file.
        more: files of its further channels.
    """

    image: Path
    table: Mapping[int, int]
    more: tuple[Path, ...] = ()

    @property
    def source(self) -> Path:
        return self.image

    def files(self) -> list[Path]:
        return [self.image, *self.more] + ([] if self.label is None else [self.label])

    def described(self) -> dict[str, object]:
        return super().described() | {"table": {str(value): new for value, new in self.table.items()}}

    def read(self) -> Volumes:
        image = read_volume(self.image)
        if self.label is None:
            return Volumes(image)
        label, notes = read_label(self.label, image, self.image, self.table)
        return Volumes(image, label, notes)

    def read_more(self, image: sitk.Image) -> list[sitk.Image]:
        return [on_first_channel(image, self.image, read_volume(path), path) for path in self.more]


def read_label(
    path: Path, image: sitk.Image, image_file: Path, table: Mapping[int, int]
) -> tuple[sitk.Image, tuple[str, ...]]:
    """The label map of a scan, with the dataset's values on the grid of the scan, and notes of what was corrected.

    Args:
        path: its NIfTI file.
        image: the scan.
        image_file: file of the scan, for messages.
        table: the dataset's label for each value of the file.

    Raises:
        UserError: the label map is empty, is on another grid, or holds another value.
    """
    label, notes = on_grid_of(image, image_file, read_volume(path), path)
    values, rounded = whole_values(sitk.GetArrayViewFromImage(label), path)
    check_annotated(values, path)
    return label_like(image, map_labels(values, table, path)), (*notes, *rounded)


def numbered(folder: Path, pattern: re.Pattern) -> dict[str, Path]:
    """The NIfTI files of a folder with names that match a pattern, by the pattern's first group.

    Raises:
        UserError: two files have one key, such as x.nii and x.nii.gz.
    """
    matches = ((pattern.fullmatch(path.name), path) for path in visible_files(folder, *ENDINGS))
    return keyed(((match[1], path) for match, path in matches if match), "number")


def keyed(files: Iterable[tuple[str, Path]], what: str) -> dict[str, Path]:
    """Files by key.

    Args:
        files: key and path of each file.
        what: kind of key, for the message.

    Raises:
        UserError: two files have one key.
    """
    result: dict[str, Path] = {}
    for key, path in files:
        if key in result:
            raise UserError(f"{result[key]} and {path} are both the {what} {key}: remove one of them")
        result[key] = path
    return result


def paired(images: Mapping[str, Path], labels: Mapping[str, Path]) -> list[tuple[str, Path]]:
    """The images and their keys, sorted.

    Raises:
        UserError: a label map has no image, because a file is missing or misnamed.
    """
    if orphans := sorted(labels.keys() - images.keys()):
        raise UserError(f"{labels[orphans[0]]} has no scan that it belongs to: add the scan, or correct a name")
    return sorted(images.items())


def on_first_channel(image: sitk.Image, image_file: Path, channel: sitk.Image, channel_file: Path) -> sitk.Image:
    """A further channel of a scan, with the axes and the header of its first one.

    Raises:
        UserError: it is on another grid.
    """
    distance = grid_distance(image, turned := aligned(channel, image))
    if distance > SIMILAR_GRID:
        raise UserError(
            f"{channel_file} ({describe_grid(channel)}) is not on the grid of {image_file} ({describe_grid(image)}): "
            "resample it to the first channel"
        )
    turned.CopyInformation(image)
    return turned
