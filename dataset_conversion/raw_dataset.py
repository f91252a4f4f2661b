"""Write a list of cases as an nnU-Net raw dataset, with ``imagesUn`` for scans without labels and ``patients.json``.

Everything is made in a hidden folder beside the datasets, which is renamed to the dataset's name when it is complete
and checked. So a dataset is never half written, and never holds what the check refuses.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.data.annotated import ANNOTATED_JSON
from mass_nnunet.data.dataset_json import DATASET_JSON, READER_KEY
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import PATIENTS_JSON, Part, RawDataset, licence_of, reference_of
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.exclusive import check_free, only_user_of
from mass_nnunet.runtime.workers import map_cases

from .checks.findings import CheckedCase, Finding, Level, compare_cases, position_errors, unusual_findings
from .checks.report import refuse_errors, write_check
from .parts import annotated_structures, assign_parts, usable_labels
from .source import Case, Target
from .staging import FILE_ENDING, Stage, Staged

_KEPT_SLICES = (
    "\nIts slices are oblique and stay slices: nnU-Net reads these scans as they are stored. Scans to predict must be "
    "stored alike: pass them through `mass_nnunet turn` first if you are not sure"
)
RECORD = "conversion.json"
"""File beside dataset.json with the source files and the options of the conversion."""
USERS = "conversion of the same dataset"
"""What a staging folder belongs to, for the line by which a second one is refused."""
_RECORD_VERSION = 2  # records of the first version, without number, depend on names in the code


@dataclass(frozen=True, kw_only=True)
class ConversionOptions:
    """Options of a conversion.

    Attributes:
        test_fraction: share of the labelled patients for ``imagesTs`` and ``labelsTs``.
        seed: seed of the random choice of these patients.
        keep_partial: use labels that lack an organ, which is unknown then, instead of using the scan without labels.
        processes: number of worker processes.
    """

    test_fraction: float = 0.2
    seed: int = 0
    keep_partial: bool = False
    processes: int = 2


def dataset_path(dataset_id: int, name: str) -> Path:
    """``801, BTCV`` -> ``nnUNet_raw/Dataset801_BTCV``.

    Raises:
        UserError: the id is out of range, or taken by a dataset of another name.
    """
    if not 0 < dataset_id < 1000:
        raise UserError(f"dataset id {dataset_id} is not between 1 and 999")
    folder = base_folder("raw") / f"Dataset{dataset_id:03d}_{name}"
    if others := [str(other) for other in find_candidate_datasets(dataset_id) if other != folder.name]:
        raise UserError(f"dataset id {dataset_id} is taken by {others[0]}: choose another one")
    return folder


def write_dataset(target: Target, options: ConversionOptions) -> str:
    """Convert all cases of a dataset, and write it. After an interruption a second call continues.

    Returns:
        A summary for the user.

    Raises:
        UserError: input is bad, with one line per case, or the dataset exists and was made in another way, or another
            process is making it.
    """
    folder = dataset_path(target.dataset_id, target.name)
    staging = folder.with_name(f".tmp-{folder.name}")
    stage = Stage(staging / "cases", target.labels, target.channel, target.pose, target.more_channels)
    if folder.exists():
        _check_same(folder, stage, target, options)
        check_free([staging], USERS)
        shutil.rmtree(staging, ignore_errors=True)
        return f"{folder} is already there, made of the same files with the same options"
    with only_user_of([staging], USERS):
        return _convert_and_place(folder, stage, target, options)


def _convert_and_place(folder: Path, stage: Stage, target: Target, options: ConversionOptions) -> str:
    cases, staging = target.cases, stage.folder.parent
    staged = convert_cases(stage, cases, options.processes)
    measures = {name: done.measures for name, done in staged.items()}
    labelled, lacking = usable_labels(cases, measures, target.labels, options.keep_partial)
    if lacking and not labelled:
        raise UserError(
            f"no case has labels of all organs, {next(iter(lacking.values()))} to begin with: "
            "add labels, or use these with --keep-partial"
        )
    parts = assign_parts(cases, labelled, options.test_fraction, options.seed)
    checked = compare_cases([checked_case(folder.name, target, case, staged, parts, lacking) for case in cases])
    refuse_errors(checked)

    content = _dataset_json(target, training=Counter(parts.values())[Part.TRAINING])
    whole = RawDataset(target.dataset_id, staging / "dataset", content)
    for part in Part:
        (whole.folder / part).mkdir(parents=True, exist_ok=True)
        if part is not Part.UNLABELLED:
            whole.label_folder(part).mkdir(exist_ok=True)
    for name, part in parts.items():
        for staged_file, file in zip(stage.images(name), whole.image_paths(part, name), strict=True):
            staged_file.replace(file)
        if part is not Part.UNLABELLED:
            stage.label(name).replace(whole.label_path(part, name))
    write_json(whole.folder / PATIENTS_JSON, {case.name: case.patient for case in cases if case.name in parts})
    annotated = {
        case.name: annotated_structures(case, measures[case.name].organs or {})
        for case in cases
        if case.name in lacking and parts.get(case.name) not in (None, Part.UNLABELLED)
    }
    if annotated:
        write_json(whole.folder / ANNOTATED_JSON, annotated)
    write_json(whole.folder / RECORD, _record({name: done.signature for name, done in staged.items()}, options))
    write_json(whole.folder / DATASET_JSON, content)
    report = write_check(whole.folder, checked, {name: done.preview for name, done in staged.items()}, target.labels)
    whole.folder.rename(folder)
    shutil.rmtree(staging)
    return f"{report}\nwrote {folder}{_KEPT_SLICES if target.pose is Pose.SLICES else ''}"


def convert_cases(stage: Stage, cases: Sequence[Case], processes: int) -> dict[str, Staged]:
    """Convert the cases that are not converted yet, and return all converted cases by name.

    Raises:
        UserError: two cases have one name, or cases cannot be converted, with one line per case.
    """
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            first, second = [case.source for case in cases if case.name == name][:2]
            raise UserError(f"{name} is there {count} times ({first}, {second}): give the folder of one copy")
    stage.tidy({case.name for case in cases})
    results = map_cases(stage.convert, cases, processes=processes, description="converting")
    staged = {case.name: done for case, done in zip(cases, results, strict=True) if isinstance(done, Staged)}
    if errors := [str(result) for result in results if isinstance(result, UserError)]:
        raise UserError("\n".join(errors))
    return staged


def checked_case(
    dataset: str,
    target: Target,
    case: Case,
    staged: Mapping[str, Staged],
    parts: Mapping[str, Part],
    lacking: Mapping[str, str],
) -> CheckedCase:
    """A converted case with its findings, and notes where its use differs from what its files suggest.

    Args:
        dataset: name of the dataset's folder.
        target: the dataset to write.
        case: one of its cases.
        staged: all converted cases, by name.
        parts: parts of the cases, by name; a case without a part is left out.
        lacking: descriptions of what the labels of a case lack, by name.
    """
    done, part = staged[case.name], parts.get(case.name)
    notes = list(done.notes)
    if part is None and case.complete:
        notes.append("left out, as it shows none of the organs")
    elif part is None:
        notes.append(f"left out, as its patient is a test patient: {lacking.get(case.name, 'no labels')}")
    elif case.name in lacking:
        how = "used without labels" if part is Part.UNLABELLED else "used, and what it lacks is unknown"
        notes.append(f"{how}: {lacking[case.name]}")
    return CheckedCase(
        name=case.name,
        dataset=dataset,
        patient=case.patient,
        part=part,
        image=str(case.source),
        label=None if case.label is None else str(case.label),
        measures=done.measures,
        findings=(
            *(Finding(Level.NOTE, note) for note in notes),
            *position_errors(done.measures),
            *unusual_findings(done.measures, target.labels, target.channel),
        ),
    )


def _dataset_json(target: Target, *, training: int) -> dict[str, Any]:
    """The content of dataset.json, in the spelling of nnU-Net's ``generate_dataset_json``."""
    stated = {"licence": target.licence, "reference": target.reference}
    return {
        "channel_names": {str(number): name for number, name in enumerate(target.channels)},
        "labels": dict(target.labels),
        "numTraining": training,
        "file_ending": FILE_ENDING,
        READER_KEY: target.pose.reader,
    } | {key: text for key, text in stated.items() if text}


def _record(signatures: Mapping[str, str], options: ConversionOptions) -> dict[str, Any]:
    """Content of ``RECORD``: the options and source files that a dataset depends on."""
    partial = "unknown" if options.keep_partial else False  # in older records True: background
    chosen = {"test_fraction": options.test_fraction, "seed": options.seed, "keep_partial": partial}
    return {"version": _RECORD_VERSION, "options": chosen, "cases": dict(signatures)}


def _check_same(folder: Path, stage: Stage, target: Target, options: ConversionOptions) -> None:
    """Check that an existing dataset is equal to the one that would be written now.

    Raises:
        UserError: it is not equal, or an earlier version of this package wrote it.
    """
    path = folder / RECORD
    remedy = f"delete {folder} first, or choose another dataset id"
    if not path.is_file():
        raise UserError(f"{folder} was not made by this command: {remedy}")
    record = read_json(path, remedy)
    if record.get("version") != _RECORD_VERSION:
        raise UserError(
            f"{folder} was converted by another version of mass_nnunet and is fit for use, but cannot be compared "
            f"with its source: to convert it again {remedy}"
        )
    if record != _record({case.name: stage.signature(case) for case in target.cases}, options):
        raise UserError(f"{folder} is of an earlier conversion with other options or other files: {remedy}")
    content = read_json(folder / DATASET_JSON, remedy)
    for name, wanted, stated in (
        ("licence", target.licence, licence_of(content)),
        ("reference", target.reference, reference_of(content)),
    ):
        if wanted and wanted not in (stated or ""):  # a dataset with joined scans also states theirs
            raise UserError(f"{folder / DATASET_JSON} does not state the {name} {wanted!r}: write it there")
