"""An nnU-Net raw dataset: its parts, the files and patients of its cases, its licence and its reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE

from .annotated import ANNOTATED_JSON, read_annotated
from .dataset_json import DATASET_JSON, Labels, read_dataset_json
from .files import read_json
from .listing import listed
from .names import case_of, image_name, label_name
from .paths import base_folder, dataset_name
from .regions import Regions, check_regions, classes_of, regions_of


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
    def labels(self) -> str:
        """Name of the folder of label maps.

        Raises:
            ValueError: the part has none.
        """
        if self is Part.UNLABELLED:
            raise ValueError(f"{self} has no label maps")
        return self.value.replace("images", "labels")


TRAINING, UNLABELLED, TEST = Part.TRAINING, Part.UNLABELLED, Part.TEST
PATIENTS_JSON = "patients.json"


def licence_of(content: Mapping[str, Any]) -> str | None:
    """The licence that a ``dataset.json`` states; nnU-Net writes ``licence``, some datasets have ``license``."""
    return _stated(content, "licence") or _stated(content, "license")


def reference_of(content: Mapping[str, Any]) -> str | None:
    """The reference to cite that a ``dataset.json`` states."""
    return _stated(content, "reference")


def _stated(content: Mapping[str, Any], key: str) -> str | None:
    """An entry as text; some datasets have a list of texts. None where it is absent or empty."""
    value = content.get(key)
    return "; ".join(map(str, value)) or None if isinstance(value, list) else str(value) if value else None


@dataclass(frozen=True)
class RawDataset:
    """A folder ``nnUNet_raw/DatasetXXX_NAME`` with ``dataset.json``; make it with :meth:`load`."""

    id: int
    folder: Path
    content: dict[str, Any]
    """Content of ``dataset.json``."""

    @classmethod
    def load(cls, dataset_id: int) -> "RawDataset":
        """Read ``dataset.json``, and check the names of all files; none of them is opened.

        Raises:
            UserError: there is no such dataset, or :meth:`read` raises it.
        """
        return cls.read(base_folder("raw") / dataset_name(dataset_id))

    @classmethod
    def read(cls, folder: Path) -> "RawDataset":
        """Read the ``dataset.json`` of a folder ``DatasetXXX_NAME``, and check the names of all files.

        Raises:
            UserError: its dataset.json is absent or wrong (:func:`read_dataset_json`), or a file has a wrong name or is
                a broken link (:meth:`cases`).
        """
        content = read_dataset_json(folder / DATASET_JSON, "make the dataset with `mass_nnunet convert`")
        dataset = cls(int(folder.name[7:10]), folder, content)
        for part in Part:
            dataset.cases(part)
            if part is not UNLABELLED:
                listed(dataset.label_folder(part), dataset.ending)
        return dataset

    @property
    def name(self) -> str:
        """``Dataset801_BTCV``."""
        return self.folder.name

    @property
    def channels(self) -> list[str]:
        """Names of the channels, such as ``["CT"]``, in their order."""
        return list(self.content["channel_names"].values())

    @property
    def ending(self) -> str:
        """Ending of all its files, such as ``.nii.gz``."""
        return self.content["file_ending"]

    @property
    def licence(self) -> str | None:
        """Licence of the scans; None if it is not stated."""
        return licence_of(self.content)

    @property
    def reference(self) -> str | None:
        """Reference to cite for the scans; None if it is not stated."""
        return reference_of(self.content)

    @property
    def labels(self) -> dict[str, int]:
        """Name to value, sorted by value: the background is 0, the organs 1, 2, ...; without nnU-Net's ``ignore``.

        Where labels are regions, the values that they consist of have a name each (:func:`regions.classes_of`).

        Raises:
            UserError: values have gaps, or ``ignore`` is not the value after the last one, or regions do not serve
                (:func:`regions.check_regions`).
        """
        path = self.folder / DATASET_JSON
        if self.regions:
            check_regions(path, self.content)
        labels = classes_of(self.content["labels"])
        ignore = labels.pop(IGNORE, None)
        if sorted(labels.values()) != list(range(len(labels))) or labels.get(BACKGROUND) != 0:
            raise UserError(f"{path} has labels {labels}: give {BACKGROUND} 0 and the others 1, 2, ... without gaps")
        if ignore not in (None, len(labels)):
            raise UserError(
                f"{path} has nnU-Net's label {IGNORE!r} with the value {ignore}: give it {len(labels)}, the one after "
                "the last label, as nnU-Net asks"
            )
        return dict(sorted(labels.items(), key=lambda label: label[1]))  # a program may have sorted them by name

    @property
    def values(self) -> dict[str, int]:
        """As :attr:`labels`, with ``ignore`` where the dataset has it: all that a label map may hold."""
        return self.labels | {name: value for name, value in self.content["labels"].items() if name == IGNORE}

    @property
    def regions(self) -> Regions:
        """Name to values, in nnU-Net's order, of a dataset with regions; else empty."""
        return regions_of(self.content["labels"])

    @property
    def scored(self) -> Labels:
        """What is scored, besides background and ``ignore``: the regions, or :attr:`values` where there are none."""
        return self.content["labels"] if self.regions else self.values

    def annotated(self) -> dict[str, tuple[str, ...]]:
        """The annotated structures of training and test scans that are annotated in part (:func:`read_annotated`).

        Raises:
            UserError: ``annotated.json`` is wrong, or names a case that has no label map, or the labels are regions.
        """
        annotated = read_annotated(self.folder, self.content["labels"])
        if annotated and self.regions:
            raise UserError(
                f"{self.folder / ANNOTATED_JSON} names scans that are annotated in part, and the labels of {self.name} "
                f"are regions, for which it is not supported: give what is not annotated the label {IGNORE!r}, or move "
                f"these scans to {UNLABELLED}"
            )
        for case in annotated:
            if self.label(TRAINING, case) is None and self.label(TEST, case) is None:
                raise UserError(
                    f"{self.folder / ANNOTATED_JSON} names {case}, which has no label map: correct or remove it"
                )
        return annotated

    def cases(self, part: Part) -> list[str]:
        """Sorted identifiers of the scans of a part; an empty list if its folder is absent.

        Raises:
            UserError: ``imagesTr`` holds no scan, although dataset.json counts some, or a file has a wrong name
                (:func:`listed`, :func:`case_of`) or is a broken link.
        """
        folder = self.folder / part
        found = set()
        for path in listed(folder, self.ending):
            found.add(case_of(path, self.ending, self.channels, preprocessed=part is not TEST))
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

    def check_label_maps(self) -> None:
        """Make sure that each label map has its scan, which may be in another part; else it would be left out silently.

        Raises:
            UserError: one has none.
        """
        scans = {case for part in Part for case in self.cases(part)}
        for part in (TRAINING, TEST):
            for file in listed(self.label_folder(part), self.ending):
                case = file.name.removesuffix(self.ending)
                if case not in scans and not case.startswith("."):
                    raise UserError(
                        f"{file} has no scan {image_name(case, 0, self.ending)} that it belongs to: add the scan, "
                        "correct a name, or remove it"
                    )

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
