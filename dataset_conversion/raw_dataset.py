"""Write a list of cases as an nnU-Net raw dataset, with ``imagesUn`` for scans without labels and ``patients.json``.

Everything is made in a hidden folder beside the datasets, which takes the dataset's name when all of it is there and
checked: no dataset of that name is ever half written, or holds what the check refuses.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases

from .checks.findings import CheckedCase, Finding, Level, across, unusual, wrong
from .checks.report import refuse_errors, write_check
from .parts import assign_parts, usable_labels
from .source import Case, Part, Target
from .staging import FILE_ENDING, Stage, Staged

RECORD = "conversion.json"
"""Beside dataset.json: what the dataset was made of, and with which options."""
# Stock nnU-Net then predicts scans of any orientation: it turns each to RAS, and its prediction back.
READER = "NibabelIOWithReorient"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How cases become a dataset.

    Attributes:
        test_fraction: share of the labelled patients for ``imagesTs`` and ``labelsTs``.
        seed: of their choice.
        keep_partial: keep labels that lack an organ, instead of using the scan without labels.
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


def write_dataset(target: Target, options: Options) -> str:
    """Convert all cases of a dataset; called again after an interruption, it goes on where it was.

    Returns:
        What was written, for the user.

    Raises:
        UserError: bad input, a line for each case, or the dataset is there and was made otherwise.
    """
    folder = dataset_path(target.dataset_id, target.name)
    cases = target.cases
    staging = folder.with_name(f".tmp-{folder.name}")
    stage = Stage(staging / "cases", target.labels, target.channel)
    if folder.exists():
        _check_same(folder, stage, cases, options)
        shutil.rmtree(staging, ignore_errors=True)
        return f"{folder} is already there, made of the same files with the same options"
    staged = convert_cases(stage, cases, options.processes)
    measures = {name: done.measures for name, done in staged.items()}
    labelled, lacking = usable_labels(cases, measures, target.labels, options.keep_partial)
    if lacking and not labelled:
        raise UserError(
            f"no case has labels of all organs, {next(iter(lacking.values()))} to begin with: "
            "add labels, or use these with --keep-partial"
        )
    parts = assign_parts(cases, labelled, options.test_fraction, options.seed)
    checked = across([checked_case(folder.name, target, case, staged, parts, lacking) for case in cases])
    refuse_errors(checked)

    whole = staging / "dataset"
    for part in Part:
        for kind in ("images", "labels") if part is not Part.UNLABELLED else ("images",):
            (whole / f"{kind}{part.value}").mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        stage.image(name).replace(whole / f"images{part.value}" / stage.image(name).name)
        if part is not Part.UNLABELLED:
            stage.label(name).replace(whole / f"labels{part.value}" / stage.label(name).name)
    counts = Counter(parts.values())
    write_json(whole / "patients.json", {case.name: case.patient for case in cases if case.name in parts})
    write_json(whole / RECORD, _record({name: done.signature for name, done in staged.items()}, options))
    write_json(
        whole / "dataset.json",
        {
            "channel_names": {"0": target.channel},
            "labels": dict(target.labels),
            "numTraining": counts[Part.TRAIN],
            "file_ending": FILE_ENDING,
            "overwrite_image_reader_writer": READER,
        },
    )
    report = write_check(whole, checked, {name: done.preview for name, done in staged.items()}, target.labels)
    whole.rename(folder)
    shutil.rmtree(staging)
    return f"{report}\nwrote {folder}"


def convert_cases(stage: Stage, cases: Sequence[Case], processes: int) -> dict[str, Staged]:
    """Convert what is not converted yet, by name.

    Raises:
        UserError: there are two cases of one name, or a line for each case that cannot be converted.
    """
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            first, second = [case.source for case in cases if case.name == name][:2]
            raise UserError(f"{name} lies there {count} times ({first}, {second}): give the folder of one copy")
    stage.tidy({case.name for case in cases})
    results = map_cases(stage.convert, cases, processes=processes, description="converting")
    if errors := [str(result) for result in results if isinstance(result, UserError)]:
        raise UserError("\n".join(errors))
    return dict(zip((case.name for case in cases), results, strict=True))


def checked_case(
    dataset: str,
    target: Target,
    case: Case,
    staged: Mapping[str, Staged],
    parts: Mapping[str, Part],
    lacking: Mapping[str, str],
) -> CheckedCase:
    """What the check finds in one case, and in what way it is used otherwise than its files suggest.

    Args:
        dataset: name of the dataset's folder.
        target: the dataset.
        case: one of its cases.
        staged: all converted cases, by name.
        parts: of the cases, by name; a case without one is left out.
        lacking: what the labels of a case lack, by name.
    """
    done, part = staged[case.name], parts.get(case.name)
    notes = list(done.notes)
    if part is None:
        notes.append(f"left out, as its patient is a test patient: {lacking.get(case.name, 'no labels')}")
    elif case.name in lacking:
        how = "used without labels" if part is Part.UNLABELLED else "used with the missing organs as background"
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
            *wrong(done.measures),
            *unusual(done.measures, target.labels, target.channel),
        ),
    )


def _record(signatures: Mapping[str, str], options: Options) -> dict:
    """What a dataset depends on."""
    chosen = {name: getattr(options, name) for name in ("test_fraction", "seed", "keep_partial")}
    return {"options": chosen, "cases": dict(signatures)}


def _check_same(folder: Path, stage: Stage, cases: Sequence[Case], options: Options) -> None:
    """Make sure that a dataset is what would be written now.

    Raises:
        UserError: it is not.
    """
    path = folder / RECORD
    remedy = f"delete {folder} first, or choose another dataset id"
    if not path.is_file():
        raise UserError(f"{folder} was not made by this command: {remedy}")
    if read_json(path, remedy) != _record({case.name: stage.signature(case) for case in cases}, options):
        raise UserError(f"{folder} is of an earlier conversion with other options or other files: {remedy}")
