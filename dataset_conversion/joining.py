"""Scans without labels that join a dataset which is there: more CTs to train on, from another source."""

import shutil

from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.data.files import write_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TEST, TRAINING, UNLABELLED, RawDataset
from mass_nnunet.errors import UserError

from .checks.command import check_datasets
from .checks.findings import across
from .checks.report import refuse_errors
from .raw_dataset import READER, Options, checked_case, convert_cases
from .source import Part, Target
from .staging import FILE_ENDING, Stage


def joins(target: Target) -> bool:
    """Whether a target is to join a dataset: it may, and there is one of its id and another name."""
    if not target.may_join:
        return False
    own = f"Dataset{target.dataset_id:03d}_{target.name}"
    names = [str(name) for name in find_candidate_datasets(target.dataset_id)]
    return any(name != own and (base_folder("raw") / name).is_dir() for name in names)


def join_dataset(target: Target, options: Options) -> str:
    """Put all scans of ``target`` into ``imagesUn`` of the dataset with its id, and check the whole of it.

    Called again after an interruption, it goes on where it was.

    Returns:
        What was written and found, for the user.

    Raises:
        UserError: bad input, or the dataset is of another modality or format, or holds a case of the same name.
    """
    dataset = RawDataset.load(target.dataset_id)
    _check_format(dataset, target)
    cases = target.cases
    held = {case: part for part in (TRAINING, TEST, UNLABELLED) for case in dataset.cases(part)}
    for case in cases:
        if held.get(case.name, UNLABELLED) != UNLABELLED:
            raise UserError(f"{dataset.folder} holds {case.name} in {held[case.name]}: leave it out with --exclude")
    new = [case for case in cases if case.name not in held]
    if not new:
        return f"{dataset.folder} holds all {len(cases)} scans already"
    staging = dataset.folder.with_name(f".tmp-{dataset.name}+{target.name}")
    stage = Stage(staging / "cases", target.labels, target.channel)
    staged = convert_cases(stage, new, options.processes)
    parts = {case.name: Part.UNLABELLED for case in new}
    refuse_errors(across([checked_case(dataset.name, target, case, staged, parts, {}) for case in new]))
    # First whose scans they are: a scan without a patient would stop every other command.
    write_json(dataset.folder / "patients.json", dataset.patients() | {case.name: case.patient for case in new})
    (dataset.folder / UNLABELLED).mkdir(exist_ok=True)
    for case in new:
        stage.image(case.name).replace(dataset.folder / UNLABELLED / stage.image(case.name).name)
    shutil.rmtree(staging)
    check_datasets([dataset.id], options.processes)
    return f"{len(new)} scans joined {dataset.folder}: run `mass_nnunet split` and `plan` again"


def _check_format(dataset: RawDataset, target: Target) -> None:
    wanted = {"file_ending": FILE_ENDING, "overwrite_image_reader_writer": READER}
    for key, value in wanted.items():
        if dataset.content.get(key) != value:
            raise UserError(f"{dataset.folder / 'dataset.json'} has another {key} than {value}: choose another id")
    if dataset.channels != [target.channel]:
        raise UserError(f"{dataset.name} holds {', '.join(dataset.channels)}, not {target.channel}: choose another id")
