"""Staging of cases: each is converted once, and kept with its measures, also for the next run."""

import json
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.files import atomic_path, digest
from mass_nnunet.data.names import image_name, label_name
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.volume import compact, write_volume
from mass_nnunet.errors import UserError

from .checks.inspection import Measures, Organ, Preview, measure
from .source import Case

FILE_ENDING = ".nii.gz"
SIGNATURE_VERSION = 1
"""Version of the conversion. Increase it if the same files give another result; all cases are then converted again."""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A converted case.

    Attributes:
        signature: digest of the case and its source files; if it changes, the case is converted again.
        measures: measures of the scan.
        preview: a small picture.
        notes: one sentence for each correction.
    """

    signature: str
    measures: Measures
    preview: Preview
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """The folder of the converted cases of one dataset, and the conversion of a case.

    Attributes:
        folder: folder of the converted cases.
        labels: labels of the dataset, name to value.
        channel: ``CT`` or another modality, of the first channel.
        pose: order and direction of the axes of all scans.
        more_channels: names of the further channels.
    """

    folder: Path
    labels: Mapping[str, int]
    channel: str
    pose: Pose = Pose.UPRIGHT
    more_channels: tuple[str, ...] = ()

    def images(self, name: str) -> list[Path]:
        """Paths of the converted scan of a case, one for each channel."""
        return [self.folder / image_name(name, number, FILE_ENDING) for number in range(1 + len(self.more_channels))]

    def label(self, name: str) -> Path:
        """Path of the converted label map of a case."""
        return self.folder / label_name(name, FILE_ENDING)

    def tidy(self, names: Collection[str]) -> None:
        """Move back the files that a killed run has moved into a dataset, and delete files of other cases.

        Args:
            names: names of the cases to convert.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        dataset = self.folder.with_name("dataset")
        for placed in dataset.glob(f"*/*{FILE_ENDING}"):
            placed.replace(self.folder / placed.name)
        shutil.rmtree(dataset, ignore_errors=True)
        files = [(*self.images(name), self.label(name), self._record(name)) for name in names]
        wanted = {path.name for its_files in files for path in its_files}
        for path in self.folder.iterdir():
            if path.name not in wanted:
                path.unlink()

    def convert(self, case: Case) -> Staged | UserError:
        """Convert a case unless it is converted already.

        The record is written last, so a case with a record is complete.

        Returns:
            The case, or the error in its files; so all bad cases can be reported together.

        Raises:
            UserError: the case cannot be written.
        """
        try:
            signature = self.signature(case)
            if (known := self._load(case)) is not None and known.signature == signature:
                return known
            image, label, notes = case.read()
            orientation = self.pose.orientation(image)
            more = [sitk.DICOMOrient(compact(other), orientation) for other in case.read_more(image)]
            image = sitk.DICOMOrient(compact(image), orientation)
            if label is not None:
                label = sitk.DICOMOrient(label, orientation)
            stored = self.pose is Pose.SLICES
            measures, preview = measure(image, label, self.labels, self.channel, case.source, stored=stored)
        except UserError as error:
            return error
        except OSError as error:
            reason = error.strerror or error
            return UserError(f"{error.filename} cannot be read ({reason}): check the file and its permissions")
        if label is not None:
            write_volume(label, self.label(case.name))
        for channel, path in zip((image, *more), self.images(case.name), strict=True):
            write_volume(channel, path)
        staged = Staged(signature=signature, measures=measures, preview=preview, notes=notes)
        self._save(case, staged)
        return staged

    def signature(self, case: Case) -> str:
        """Digest of everything that the converted case depends on: its files, their reading, labels and channel.

        It is computed from explicit names and values, not from the ``repr`` of an object.
        """
        content = {
            "version": SIGNATURE_VERSION,
            "case": case.described(),
            "files": [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in case.files()],
            "labels": dict(self.labels),
            "channel": self.channel,
        }
        if self.more_channels:
            content["more channels"] = list(self.more_channels)
        if self.pose is not Pose.UPRIGHT:  # records of upright scans know no pose
            content["pose"] = self.pose.value
        return digest(content)

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _save(self, case: Case, staged: Staged) -> None:
        text = json.dumps([staged.signature, asdict(staged.measures), staged.preview.aspect, staged.notes])
        with atomic_path(self._record(case.name)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, text=text, image=staged.preview.image, label=staged.preview.label)

    def _load(self, case: Case) -> Staged | None:
        """The case as converted by an earlier run; None if it is incomplete."""
        needed = self.images(case.name) + ([] if case.label is None else [self.label(case.name)])
        if not all(path.is_file() for path in needed):
            return None
        try:
            with np.load(self._record(case.name)) as record:
                signature, measures, aspect, notes = json.loads(str(record["text"]))
                preview = Preview(record["image"], record["label"], aspect)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        organs = measures.pop("organs")
        organs = None if organs is None else {name: Organ(**organ) for name, organ in organs.items()}
        return Staged(
            signature=signature, measures=Measures(**measures, organs=organs), preview=preview, notes=tuple(notes)
        )
