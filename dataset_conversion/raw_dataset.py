"""Write a list of cases as an nnU-Net raw dataset, with ``imagesUn`` for scans without labels and ``patients.json``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.errors import UserError
from mass_nnunet.files import write_json
from mass_nnunet.organs import LABELS
from mass_nnunet.paths import base_folder
from mass_nnunet.workers import map_cases

from .parts import Part, assign_parts
from .sides import absent_organs, check_sides
from .source import Case
from .volume import compact, write_volume

FILE_ENDING = ".nii.gz"
# Stock nnU-Net then predicts scans of any orientation: it turns each to RAS, and its prediction back.
READER = "NibabelIOWithReorient"


@dataclass(frozen=True)
class Summary:
    """What was written, for the user."""

    folder: Path
    counts: Counter[Part]
    notes: list[str]

    def __str__(self) -> str:
        names = {Part.TRAIN: "training", Part.TEST: "test", Part.UNLABELLED: "unlabelled"}
        lines = [str(self.folder), *(f"  {names[part]:<12}{self.counts[part]:>4} scans" for part in Part)]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])


def dataset_path(dataset_id: int, name: str) -> Path:
    """``801, BTCV`` -> ``nnUNet_raw/Dataset801_BTCV``.

    Raises:
        UserError: the id is taken by a dataset of another name.
    """
    folder = base_folder("raw") / f"Dataset{dataset_id:03d}_{name}"
    if others := [str(other) for other in find_candidate_datasets(dataset_id) if other != folder.name]:
        raise UserError(f"dataset id {dataset_id} is taken by {others[0]}: choose another one with -d")
    return folder


def write_dataset(
    folder: Path, cases: Sequence[Case], *, channel: str, test_fraction: float, seed: int, processes: int
) -> Summary:
    """Convert all cases into ``folder``; called again after an interruption, it goes on where it was.

    Args:
        folder: the dataset's folder, see ``dataset_path``.
        cases: what to convert.
        channel: name of the one channel, ``CT`` or ``MRI`` (nnU-Net normalizes ``CT`` as CT).
        test_fraction: share of the labelled patients for ``imagesTs`` and ``labelsTs``.
        seed: of their choice.
        processes: number of worker processes.

    Raises:
        UserError: bad input, or ``folder`` holds cases that belong elsewhere with these options.
    """
    _check_names(cases)
    with_file = [case for case in cases if case.label is not None]
    absent = dict(
        zip(
            (case.name for case in with_file),
            map_cases(_absent_organs, with_file, processes=processes, description="reading labels"),
            strict=True,
        )
    )
    parts = assign_parts(cases, {name for name, organs in absent.items() if not organs}, test_fraction, seed)
    _check_folder(folder, parts)
    # Written last: a dataset that has this file is whole.
    (folder / "dataset.json").unlink(missing_ok=True)
    kept = [case for case in cases if case.name in parts]
    jobs = [(case, parts[case.name]) for case in kept]
    map_cases(partial(_convert, folder), jobs, processes=processes, description="converting")

    counts = Counter(parts.values())
    write_json(folder / "patients.json", {case.name: case.patient for case in kept})
    write_json(
        folder / "dataset.json",
        {
            "channel_names": {"0": channel},
            "labels": LABELS,
            "numTraining": counts[Part.TRAIN],
            "file_ending": FILE_ENDING,
            "overwrite_image_reader_writer": READER,
        },
    )
    return Summary(folder, counts, _notes(cases, parts, absent))


def image_path(folder: Path, part: Part, name: str) -> Path:
    """Where the scan of a case lies."""
    return folder / f"images{part.value}" / f"{name}_0000{FILE_ENDING}"


def label_path(folder: Path, part: Part, name: str) -> Path:
    """Where the label map of a case lies; not for ``Part.UNLABELLED``."""
    return folder / f"labels{part.value}" / f"{name}{FILE_ENDING}"


def _outputs(folder: Path, part: Part, name: str) -> list[Path]:
    label = [] if part is Part.UNLABELLED else [label_path(folder, part, name)]
    return [image_path(folder, part, name), *label]


def _absent_organs(case: Case) -> list[str]:
    return absent_organs(case.label_values())


def _convert(folder: Path, job: tuple[Case, Part]) -> None:
    """Write the files of one case unless they are there."""
    case, part = job
    if all(path.exists() for path in _outputs(folder, part, case.name)):
        return
    if part is Part.UNLABELLED:
        image = case.read_image()
    else:
        image, label = case.read_labelled()
        check_sides(label, case.name, case.label)
        write_volume(label, label_path(folder, part, case.name))
    write_volume(compact(image), image_path(folder, part, case.name))


def _check_names(cases: Sequence[Case]) -> None:
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            raise UserError(f"{name} lies there {count} times: give the folder of one copy of the dataset")


def _check_folder(folder: Path, parts: dict[str, Part]) -> None:
    """Make the subfolders, remove what a killed run left half written, and refuse what is not of these options."""
    expected = {path for name, part in parts.items() for path in _outputs(folder, part, name)}
    for half in folder.rglob(".tmp-*"):
        half.unlink()
    for subfolder in ("imagesTr", "labelsTr", "imagesTs", "labelsTs", "imagesUn"):
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
        for path in (folder / subfolder).iterdir():
            if path not in expected:
                raise UserError(
                    f"{path} is of an earlier conversion with other options or another source: delete {folder} first"
                )


def _notes(cases: Sequence[Case], parts: dict[str, Part], absent: dict[str, list[str]]) -> list[str]:
    """One line for each case that is used otherwise than its files suggest."""
    notes = []
    for case in cases:
        reason = f"no {', '.join(organs)} in {case.label}" if (organs := absent.get(case.name)) else "no labels"
        if case.name not in parts:
            notes.append(f"{case.name} left out, as its patient is a test patient: {reason}")
        elif organs:
            notes.append(f"{case.name} used without labels: {reason}")
    return notes
