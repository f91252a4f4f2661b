"""An nnU-Net raw dataset, read: its cases, their files, and whose they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunetv2.utilities.utils import get_identifiers_from_splitted_dataset_folder

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND

from .files import read_json
from .paths import base_folder, dataset_name

TRAINING, UNLABELLED, TEST = "imagesTr", "imagesUn", "imagesTs"
IGNORE = "ignore"
"""nnU-Net's name of the label of voxels that nobody has outlined."""
_REQUIRED = ("channel_names", "labels", "numTraining", "file_ending")


@dataclass(frozen=True)
class RawDataset:
    """A folder ``nnUNet_raw/DatasetXXX_NAME`` with ``dataset.json``; make it with :meth:`load`."""

    id: int
    folder: Path
    content: dict[str, Any]
    """Of ``dataset.json``."""

    @classmethod
    def load(cls, dataset_id: int) -> "RawDataset":
        """Read ``dataset.json``.

        Raises:
            UserError: there is no such dataset, or its dataset.json is absent or not complete.
        """
        folder = base_folder("raw") / dataset_name(dataset_id)
        path = folder / "dataset.json"
        content = read_json(path, "make the dataset with `mass_nnunet convert`")
        if absent := [key for key in _REQUIRED if key not in content]:
            raise UserError(f"{path} lacks {', '.join(absent)}: add it as nnU-Net's dataset format asks")
        return cls(dataset_id, folder, content)

    @property
    def name(self) -> str:
        """``Dataset801_BTCV``."""
        return self.folder.name

    @property
    def channels(self) -> list[str]:
        """Names of the channels, such as ``["CT"]``, in their order."""
        return list(self.content["channel_names"].values())

    @property
    def labels(self) -> dict[str, int]:
        """Name to value: the background is 0, the organs are 1, 2, ...

        Raises:
            UserError: the dataset has regions, or an ignore label, or values with gaps.
        """
        labels = self.content["labels"]
        path = self.folder / "dataset.json"
        if not all(isinstance(value, int) for value in labels.values()):
            raise UserError(f"{path} has labels that are regions of several values: these are not supported")
        if IGNORE in labels:
            raise UserError(
                f"{path} has nnU-Net's label {IGNORE!r}, which is not supported: move the scans that are outlined in "
                f"part to {UNLABELLED}, and take it out of the labels"
            )
        if sorted(labels.values()) != list(range(len(labels))) or labels.get(BACKGROUND) != 0:
            raise UserError(f"{path} has labels {labels}: give {BACKGROUND} 0 and the others 1, 2, ... without gaps")
        return labels

    def cases(self, part: str) -> list[str]:
        """Identifiers of the scans in ``imagesTr``, ``imagesUn`` or ``imagesTs``, sorted; none if that is absent.

        Raises:
            UserError: there is no scan in ``imagesTr``, where dataset.json says that there are some.
        """
        folder = self.folder / part
        ending = self.content["file_ending"]
        found = get_identifiers_from_splitted_dataset_folder(str(folder), ending) if folder.is_dir() else []
        if part == TRAINING and len(found) == 0 and self.content["numTraining"]:
            raise UserError(f"{folder} holds no *_0000{ending}: convert the dataset again")
        return sorted(str(case) for case in found)

    def images(self, part: str, case: str) -> list[Path]:
        """Files of a case, one a channel.

        Raises:
            UserError: one does not exist.
        """
        names = [f"{case}_{channel:04d}{self.content['file_ending']}" for channel in range(len(self.channels))]
        files = [self.folder / part / name for name in names]
        for file in files:
            if not file.is_file():
                raise UserError(f"{file} does not exist: every scan needs one file a channel")
        return files

    def patients(self) -> dict[str, str]:
        """Patient of every case of ``imagesTr``, ``imagesUn`` and ``imagesTs``, from ``patients.json``.

        Where that file is absent each case is its own patient.

        Raises:
            UserError: ``patients.json`` lacks a case, or a case is in two parts.
        """
        part_of: dict[str, str] = {}
        for part in (TRAINING, UNLABELLED, TEST):
            for case in self.cases(part):
                if case in part_of:
                    raise UserError(f"{case} is in {part_of[case]} and in {part} of {self.folder}: remove one of them")
                part_of[case] = part
        path = self.folder / "patients.json"
        if not path.exists():
            return {case: case for case in part_of}
        patients = read_json(path, "convert the dataset again")
        if absent := sorted(set(part_of) - set(patients)):
            raise UserError(f"{path} does not say whose scan {absent[0]} is: add it, or convert the dataset again")
        return {case: str(patients[case]) for case in part_of}
