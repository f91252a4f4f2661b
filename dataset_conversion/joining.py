"""Joining: add scans of another source, without labels, to an existing dataset."""

import shutil
from typing import Any

from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.data.dataset_json import DATASET_JSON, READER_KEY
from mass_nnunet.data.files import write_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import PATIENTS_JSON, UNLABELLED, Part, RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.exclusive import only_user_of

from .checks.command import check_datasets
from .checks.findings import compare_cases
from .checks.report import refuse_errors
from .raw_dataset import USERS, ConversionOptions, checked_case, convert_cases
from .source import Target
from .staging import FILE_ENDING, Stage


def joins(target: Target) -> bool:
    """Whether a target joins an existing dataset: it may join, and another dataset has its id."""
    if not target.may_join:
        return False
    own = f"Dataset{target.dataset_id:03d}_{target.name}"
    names = [str(name) for name in find_candidate_datasets(target.dataset_id)]
    return any(name != own and (base_folder("raw") / name).is_dir() for name in names)


def join_dataset(target: Target, options: ConversionOptions) -> str:
    """Put all scans of ``target`` into ``imagesUn`` of the dataset with its id, and check the whole dataset.

    After an interruption a second call continues. The dataset then states the licences and references of both sources.

    Returns:
        A summary for the user.

    Raises:
        UserError: input is bad, the dataset has another modality or format, or it holds a case of the same name.
    """
    dataset = RawDataset.load(target.dataset_id)
    _check_format(dataset, target)
    cases = target.cases
    held = {case: part for part in Part for case in dataset.cases(part)}
    for case in cases:
        if held.get(case.name, UNLABELLED) != UNLABELLED:
            raise UserError(f"{dataset.folder} holds {case.name} in {held[case.name]}: leave it out with --exclude")
    new = [case for case in cases if case.name not in held]
    if not new:
        return f"{dataset.folder} holds all {len(cases)} scans already"
    staging = dataset.folder.with_name(f".tmp-{dataset.name}+{target.name}")
    stage = Stage(staging / "cases", target.labels, target.channel, target.pose, target.more_channels)
    with only_user_of([staging], USERS):
        staged = convert_cases(stage, new, options.processes)
        parts = {case.name: Part.UNLABELLED for case in new}
        refuse_errors(compare_cases([checked_case(dataset.name, target, case, staged, parts, {}) for case in new]))
        # Patients are written first, because other commands refuse a scan without a patient.
        write_json(dataset.folder / PATIENTS_JSON, dataset.patients() | {case.name: case.patient for case in new})
        write_json(dataset.folder / DATASET_JSON, _with_origin(dataset, target))
        (dataset.folder / UNLABELLED).mkdir(exist_ok=True)
        for case in new:
            for staged_file, file in zip(
                stage.images(case.name), dataset.image_paths(UNLABELLED, case.name), strict=True
            ):
                staged_file.replace(file)
        shutil.rmtree(staging)
    check_datasets([dataset.id], options.processes)
    return f"{len(new)} scans joined {dataset.folder}: run `mass_nnunet split` and `plan` again"


def _with_origin(dataset: RawDataset, target: Target) -> dict[str, Any]:
    """Content of dataset.json, with the licence and the reference of the joining scans added."""
    content = dict(dataset.content)
    for key, known, new in (
        ("licence", dataset.licence, target.licence),
        ("reference", dataset.reference, target.reference),
    ):
        if new and new not in (known or ""):
            content[key] = f"{known or 'not stated'}; {target.name}: {new}"
    return content


def _check_format(dataset: RawDataset, target: Target) -> None:
    wanted = {"file_ending": FILE_ENDING, READER_KEY: target.pose.reader}
    for key, value in wanted.items():
        if dataset.content.get(key) != value:
            raise UserError(f"{dataset.folder / DATASET_JSON} has another {key} than {value}: choose another id")
    if dataset.channels != target.channels:
        held, others = (", ".join(names) for names in (dataset.channels, target.channels))
        raise UserError(f"{dataset.name} holds {held}, not {others}: choose another id")
