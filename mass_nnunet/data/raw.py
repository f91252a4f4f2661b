"""An nnU-Net raw dataset: its parts, the files and patients of its cases, its licence and its reference."""

from enum import Enum
from pathlib import Path

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE

from .annotated import read_annotated
from .dataset_json import DATASET_JSON
from .files import read_json
from .listing import listed


class Part(str, Enum):
    """A part of a dataset; the value is the name of its folder of images."""

    TRAINING = "imagesTr"
    TEST = "imagesTs"
    UNLABELLED = "imagesUn"

    __str__ = str.__str__  # in a message or a path it is the folder

    @property
    def word(self) -> str:
        """The part for people: ``training``."""
        return self.name.lower()

    @property
    def labels(self) -> dict[str, int]:
        """Name to value: the background is 0, the organs are 1, 2, ...; nnU-Net's ``ignore`` is not among them.

        Raises:
            UserError: the dataset has regions, or values with gaps, or ``ignore`` is not the value after the last one.
        """
        labels = dict(self.content["labels"])
        path = self.folder / DATASET_JSON
        if not all(isinstance(value, int) for value in labels.values()):
            raise UserError(
                f"{path} has labels that are regions of several values: these are not supported, make each voxel's "
                "label one of several that exclude each other"
            )
        ignore = labels.pop(IGNORE, None)
        if sorted(labels.values()) != list(range(len(labels))) or labels.get(BACKGROUND) != 0:
            raise UserError(f"{path} has labels {labels}: give {BACKGROUND} 0 and the others 1, 2, ... without gaps")
        if ignore not in (None, len(labels)):
            raise UserError(
                f"{path} has nnU-Net's label {IGNORE!r} with the value {ignore}: give it {len(labels)}, the one after "
                "the last label, as nnU-Net asks"
            )
        return labels

    @property
    def values(self) -> dict[str, int]:
        """As :attr:`labels`, with ``ignore`` where the dataset has it: all that a label map may hold."""
        return self.labels | {name: value for name, value in self.content["labels"].items() if name == IGNORE}

    def annotated(self) -> dict[str, tuple[str, ...]]:
        """The annotated structures of training and test scans that are annotated in part (:func:`read_annotated`).

        Raises:
            UserError: ``annotated.json`` is wrong.
        """
        cases = [case for part in (TRAINING, TEST) for case in self.cases(part) if self.label(part, case)]
        return read_annotated(self.folder, self.content["labels"], cases)

    def cases(self, part: Part) -> list[str]:
        """Sorted identifiers of the scans of a part; an empty list if its folder is absent.

        Raises:
            UserError: ``imagesTr`` holds no scan, although dataset.json counts some, or a file has a wrong name or is a
                broken link (:func:`listed`).
        """
        folder = self.folder / part
        found = set()
        for path in listed(folder, self.ending):
            name = path.name.removesuffix(self.ending)
            if (match := _CHANNEL.fullmatch(name)) is None:  # nnU-Net would cut off five characters, whatever they are
                raise UserError(f"{path} has no channel in its name: rename it to {image_name(name, 0, self.ending)}")
            found.add(match["case"])
        if part == TRAINING and not found and self.content["numTraining"]:
            raise UserError(f"{folder} holds no *_0000{self.ending}: convert the dataset again")
        return sorted(found)

    def image_paths(self, part: Part, case: str) -> list[Path]:
        """Paths of a scan's files, one for each channel; the files may not exist."""
        return [self.folder / part / image_name(case, channel, self.ending) for channel in range(len(self.channels))]

    def images(self, part: Part, case: str) -> list[Path]:
        """Files of a scan, one for each channel, after a check that they exist.

        Raises:
            UserError: a file does not exist.
        """
        files = self.image_paths(part, case)
        for file in files:
            if not file.is_file():
                raise UserError(f"{file} does not exist: every scan needs one file per channel")
        return files

    def label_folder(self, part: Part) -> Path:
        """Folder of the label maps of the training or the test part."""
        return self.folder / part.labels

    def label_path(self, part: Part, case: str) -> Path:
        """Path of the label map of a training or test scan; the file may not exist."""
        return self.label_folder(part) / label_name(case, self.ending)

    def label(self, part: Part, case: str) -> Path | None:
        """The label map of a scan, None where it has none."""
        path = None if part is UNLABELLED else self.label_path(part, case)
        return path if path is not None and path.is_file() else None

    @property
    def names_patients(self) -> bool:
        """Whether the dataset has a ``patients.json``."""
        path = self.folder / PATIENTS_JSON
        return path.exists() or path.is_symlink()

    def patients(self) -> dict[str, str]:
        """Patient of every case of ``imagesTr``, ``imagesUn`` and ``imagesTs``, from ``patients.json``.

        If the file is absent, each case counts as its own patient.

        Raises:
            UserError: ``patients.json`` is of another form or lacks a case, or a case is in two parts.
        """
        part_of: dict[str, Part] = {}
        for part in (TRAINING, UNLABELLED, TEST):
            for case in self.cases(part):
                if case in part_of:
                    raise UserError(f"{case} is in {part_of[case]} and in {part} of {self.folder}: remove one of them")
                part_of[case] = part
        if not self.names_patients:
            return {case: case for case in part_of}
        path = self.folder / PATIENTS_JSON
        patients = read_json(path, "convert the dataset again")
        if not isinstance(patients, dict):
            raise UserError(f'{path} is not of the form {{"CASE": "PATIENT", ...}}: convert the dataset again')
        if absent := sorted(set(part_of) - set(patients)):
            raise UserError(f"{path} does not say whose scan {absent[0]} is: add it, or convert the dataset again")
        return {case: str(patients[case]) for case in part_of}
