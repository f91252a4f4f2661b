"""A scan of a DICOM export as a case of a conversion, under a pseudonym."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mass_nnunet.dataset_conversion.readers.nifti_case import read_label
from mass_nnunet.dataset_conversion.source import Case, Volumes, check_annotated
from mass_nnunet.errors import UserError

from .stacks import Stack
from .structures import LabelObject
from .voxels import image_of, label_of, read_voxels, tilt_note

Structures = Mapping[int, tuple[int, ...]]
"""Numbers of the structures of an organ in a label object, by the organ's value in the dataset."""


@dataclass(frozen=True, kw_only=True)
class DicomCase(Case):
    """A scan of DICOM slices; its files are never named, as their names may be those of patients.

    Attributes:
        title: name of the series in messages, such as ``series 3``.
        stack: its slices.
        objects: label objects of the scan, each with its structures.
        nifti: NIfTI file of the label map, instead of label objects.
        table: the dataset's label for each value of the NIfTI file.
    """

    title: str
    stack: Stack
    objects: tuple[tuple[LabelObject, Structures], ...] = ()
    nifti: Path | None = None
    table: Mapping[int, int]

    @property
    def source(self) -> Path:
        return Path(self.title)

    def files(self) -> list[Path]:
        paths = list(dict.fromkeys(plane.path for plane in self.stack.planes))
        paths += [one.path for one, _ in self.objects] + ([] if self.nifti is None else [self.nifti])
        if not all(path.is_file() for path in paths):
            raise UserError(f"{self.title} has lost a file meanwhile: run the same command again")
        return paths

    def described(self) -> dict[str, object]:
        return super().described() | {
            "frames": [plane.frame for plane in self.stack.planes],
            "structures": [{str(value): list(its) for value, its in found.items()} for _, found in self.objects],
            "table": {str(value): new for value, new in self.table.items()},
        }

    def read(self) -> Volumes:
        voxels = read_voxels(self.stack, self.title)
        image = image_of(self.stack, voxels)
        notes = (*self.stack.notes, *tilt_note(self.stack, self.title))
        if self.nifti is not None:
            label, more = read_label(self.nifti, image, self.source, self.table)
            return Volumes(image, label, notes + more)
        if not self.objects:
            return Volumes(image, None, notes)
        drawn, more = self._drawn(voxels.shape)
        return Volumes(image, label_of(self.stack, drawn), notes + more)

    def _drawn(self, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Labels (Z, Y, X) on the slices; where organs overlap, that of the higher value is taken."""
        label = np.zeros(shape, np.uint8)
        overlap = 0
        parts = [(value, numbers, one) for one, found in self.objects for value, numbers in found.items()]
        for value, numbers, one in sorted(parts, key=lambda part: part[0]):
            inside = one.mask(numbers, self.stack)
            overlap += int(np.count_nonzero(label[inside]))
            label[inside] = value
        names = " and ".join(one.name for one, _ in self.objects)
        check_annotated(label, Path(names))
        return label, (f"organs of {names} overlap in {overlap} voxels: the higher value is taken",) if overlap else ()
