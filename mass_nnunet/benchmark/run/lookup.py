"""The jobs of a grid: its names are looked up and checked before anything starts."""

from collections.abc import Sequence
from typing import Any

from mass_nnunet import trainers
from mass_nnunet.data.files import read_json
from mass_nnunet.data.group_plans import USED_BY_A_BENCHMARK, check_form
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.data.splits import find_fold, load_fold
from mass_nnunet.errors import UserError
from mass_nnunet.trainers.base.schedule import ScheduledTrainer
from mass_nnunet.training.begun import digest, planned

from .grid import Cell, Grid
from .job import Job, Tested
from .state import read_record


def make_jobs(grid: Grid) -> list[Job]:
    """The jobs of all cells, in the grid's order.

    Raises:
        UserError: a dataset, its test scans, their labels, plans, a fold or a trainer is missing, or a cell was begun
            with other plans, hyperparameters or splits.
    """
    classes = {method: _trainer(method) for method in grid.methods}
    tests, plans = _look_up(grid)
    jobs = []
    for cell in grid.cells:
        kind = classes[cell.method]
        fold, inputs = _fold(tests, plans, cell, kind.CHANGES)
        job = Job(grid, cell, fold, kind.trains_group, kind.inferences, tests, inputs)
        if read_record(job.folder).get("inputs", inputs) != inputs:
            raise UserError(
                f"{job.folder} was begun with other plans, hyperparameters or another split: name another output in "
                "the grid, or remove that folder"
            )
        jobs.append(job)
    return jobs


def _trainer(name: str) -> type[ScheduledTrainer]:
    if name not in trainers.__all__:
        raise UserError(f"methods has {name!r}, which is no trainer: there are {', '.join(trainers.__all__)}")
    return getattr(trainers, name)


def _look_up(grid: Grid) -> tuple[tuple[Tested, ...], list[dict[str, Any]]]:
    """The datasets of a grid, and the plans of each."""
    ids = " ".join(str(number) for number in grid.datasets)
    tests: list[Tested] = []
    contents: list[dict[str, Any]] = []
    for dataset in [RawDataset.load(number) for number in grid.datasets]:
        path = dataset_folder("preprocessed", dataset.id) / f"{grid.plans}.json"
        plans = read_json(path, f"make it with `mass_nnunet plan -d {ids}`, or name other plans in the grid")
        if not isinstance(plans, dict) or "mass" not in plans:
            raise UserError(f"{path} is no plan of `mass_nnunet plan`: name another one in the grid")
        check_form(path, plans, f"make it with `mass_nnunet plan -d {ids}`", USED_BY_A_BENCHMARK)
        if grid.configuration not in plans["configurations"]:
            known = ", ".join(plans["configurations"])
            raise UserError(f"{path} has no configuration {grid.configuration}, but {known}: name one in the grid")
        group = [modality["dataset"] for modality in plans["mass"]["modalities"]]
        if tests and tests[0].dataset.name not in group:
            raise UserError(
                f"{dataset.name} was not planned together with {tests[0].dataset.name}: plan both with "
                f"`mass_nnunet plan -d {ids}`"
            )
        _check_test(dataset)
        tests.append(Tested(dataset, plans["mass"]["modality"]))
        contents.append(plans)
    return tuple(tests), contents


def _check_test(dataset: RawDataset) -> None:
    """Check that all test scans have all channels, a label map and a patient."""
    cases = dataset.cases(TEST)
    if not cases:
        raise UserError(f"{dataset.folder / TEST} holds no scan to test on: convert it again with --test-fraction")
    for case in cases:
        dataset.images(TEST, case)
        if dataset.label(TEST, case) is None:
            raise UserError(f"{dataset.label_path(TEST, case)} does not exist: a test scan needs its true labels")
    dataset.patients()


def _fold(
    tests: Sequence[Tested], plans: Sequence[dict[str, Any]], cell: Cell, changes: dict[str, Any]
) -> tuple[int, str]:
    """The fold of a cell, the same number in all datasets, and the digest of the cell's inputs.

    The inputs are the plans, with the method's ``changes`` of the hyperparameters, and the split. The plans' inference
    is not an input, because the grid chooses it.
    """
    numbers, inputs = {}, []
    for tested, content in zip(tests, plans, strict=True):
        folder = dataset_folder("preprocessed", tested.dataset.id)
        number = find_fold(folder, cell.label_rate, cell.seed)
        numbers[tested.dataset.name] = number
        inputs.append([planned(content, changes), load_fold(folder, number).as_entry()])
    if len(set(numbers.values())) > 1:
        raise UserError(
            f"label rate {cell.label_rate:g} and seed {cell.seed} are not the same fold in all datasets ({numbers}): "
            f"split them together with `mass_nnunet split`"
        )
    return next(iter(numbers.values())), digest(inputs)
