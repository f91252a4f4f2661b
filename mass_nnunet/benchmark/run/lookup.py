"""The jobs of a grid: its names are looked up and checked before anything starts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mass_nnunet.data.files import digest, read_json
from mass_nnunet.data.group_plans import HYPERPARAMETERS, OF_A_GROUP, check_form
from mass_nnunet.data.outdated import check_sides
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.data.splits import SPLITS_JSON, Fold, find_fold, load_fold
from mass_nnunet.errors import UserError
from mass_nnunet.training.begun import outside_maps, planned

from .entries import Method
from .external import find_predictions
from .grid import Cell, Grid
from .isolation import check_arrays, check_fold
from .job import Job, Schedule, Tested
from .state import is_outdated
from .tested import check_tested
from .trainer_classes import TrainerKind, find_trainer


def make_jobs(grid: Grid) -> list[Job]:
    """The jobs of all cells, in the grid's order.

    Raises:
        UserError: a dataset, its test scans, their labels, plans, a fold, a trainer or a prediction of another tool is
            missing, a cell was begun with other plans, hyperparameters or splits, or by another version of its method,
            or the test scans have changed since.
    """
    kinds = {name: find_trainer(grid.method(name).trainer) for name in grid.methods}
    tests, usual = _look_up(grid)
    if kinds:  # the predictions of other tools are scored again
        check_tested(grid.output, tests)
    plans = {name: _plans_of(grid, grid.method(name), kind, tests) for name, kind in kinds.items()}
    tools = {external.name: external for external in grid.external}
    found = {name: find_predictions(grid, tool, tests) for name, tool in tools.items()}
    jobs = []
    for cell in grid.cells:
        number, folds = _find_folds(tests, cell)
        if cell.method in tools:
            folder, predicted, inputs = found[cell.method][cell]
            job = Job(grid, cell, number, together=False, choices=(), tested=predicted, inputs=inputs)
            jobs.append(replace(job, external=tools[cell.method], predicted=folder))
            continue
        kind, contents = kinds[cell.method], plans[cell.method]
        if kind.is_ours:
            # The plans' inference is not an input, because the grid chooses it.
            used = [planned(content, kind.changes) for content in contents]
            outside = _outside(grid.method(cell.method).configuration, kind, tests, contents, folds)
            # Only a later revision is in the digest: cells of methods that never changed stay valid.
            later = [] if kind.revision == 1 else [{"revision": kind.revision}]
            inputs = digest(
                [[one, fold.as_entry(), *maps, *later] for one, fold, maps in zip(used, folds, outside, strict=True)]
            )
            job = Job(grid, cell, number, together=kind.together, choices=kind.choices, tested=tests, inputs=inputs)
        else:
            epochs = grid.method(cell.method).epochs
            schedule = usual if epochs is None else usual._replace(epochs=epochs)
            _check_foreign(grid, cell, number, tests, contents, folds)
            inputs = digest([contents, [fold.as_entry() for fold in folds], schedule])
            job = Job(grid, cell, number, together=False, choices=(), tested=tests, inputs=inputs, schedule=schedule)
        if is_outdated(job.folder, inputs):
            raise UserError(
                f"{job.folder} was begun with other plans, hyperparameters or another split, other labels of "
                "another tool, or another version of its method: name another output in the grid, or remove that folder"
            )
        jobs.append(job)
    return jobs


def _look_up(grid: Grid) -> tuple[tuple[Tested, ...], Schedule]:
    """The datasets of a grid, and the schedule in its plans."""
    tests: list[Tested] = []
    for dataset in [RawDataset.load(number) for number in grid.datasets]:
        plans = _group_plans(grid, dataset, grid.plans, grid.configuration, tests)
        _check_test(dataset)
        tests.append(Tested(dataset, plans["mass"]["modality"]))
        mass = plans["mass"]
    keys = ("epochs", "iterations", "validation_iterations")
    return tuple(tests), Schedule(*(mass.get(key) for key in keys))


def _group_plans(
    grid: Grid, dataset: RawDataset, name: str, configuration: str, others: Sequence[Tested]
) -> dict[str, Any]:
    """Plans of ``mass_nnunet plan`` of a dataset that was planned together with the ``others``."""
    ids = " ".join(str(number) for number in grid.datasets)
    path = dataset_folder("preprocessed", dataset.id) / f"{name}.json"
    plans = read_json(path, f"make it with `mass_nnunet plan -d {ids}`, or name other plans in the grid")
    if not isinstance(plans, dict) or "mass" not in plans:
        raise UserError(f"{path} is no plan of `mass_nnunet plan`: name another one in the grid")
    remedy = f"make it with `mass_nnunet plan -d {ids}`"
    check_form(path, plans, remedy, OF_A_GROUP)
    _check_configuration(path, plans, configuration)
    group = [modality["dataset"] for modality in plans["mass"]["modalities"]]
    if others and others[0].dataset.name not in group:
        raise UserError(
            f"{dataset.name} was not planned together with {others[0].dataset.name}: plan both with "
            f"`mass_nnunet plan -d {ids}`"
        )
    check_form(path, plans, remedy, (HYPERPARAMETERS,))
    return plans


def _check_configuration(path: Path, plans: dict[str, Any], configuration: str) -> None:
    if configuration not in plans["configurations"]:
        known = ", ".join(plans["configurations"])
        raise UserError(f"{path} has no configuration {configuration}, but {known}: name one in the grid")


def _plans_of(grid: Grid, method: Method, kind: TrainerKind, tests: Sequence[Tested]) -> list[dict[str, Any]]:
    """The plans of each dataset that a method is trained with."""
    if kind.is_ours:
        if method.epochs is not None:
            raise UserError(
                f"{method.name} takes its epochs from its plans: copy {method.plans}.json of each dataset under "
                "another name, with other epochs and that plans_name, and name it as `plans`"
            )
        return [_group_plans(grid, one.dataset, method.plans, method.configuration, tests) for one in tests]
    contents = []
    for tested in tests:
        path = dataset_folder("preprocessed", tested.dataset.id) / f"{method.plans}.json"
        plans = read_json(path, f"{_stock_command(grid, method)}, or name other plans of {method.name} in the grid")
        _check_configuration(path, plans, method.configuration)
        if "previous_stage" in plans["configurations"][method.configuration]:
            raise UserError(
                f"{path}: {method.configuration} is a cascade, which needs the predictions of another configuration: "
                f"name another configuration of {method.name}"
            )
        contents.append(plans)
    return contents


def _stock_command(grid: Grid, method: Method) -> str:
    ids = " ".join(str(number) for number in grid.datasets)
    return f"make it with `nnUNetv2_plan_and_preprocess -d {ids} -c {method.configuration}`"


def _check_foreign(
    grid: Grid,
    cell: Cell,
    number: int,
    tests: Sequence[Tested],
    contents: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
) -> None:
    """Make sure that a trainer that is not of this package can be trained on the folds of a cell.

    It does not check its folds itself, as those of this package do.
    """
    method = grid.method(cell.method)
    for tested, content, fold in zip(tests, contents, folds, strict=True):
        check_sides(fold, number, dataset_folder("preprocessed", tested.dataset.id) / SPLITS_JSON, tested.dataset)
        check_fold(tested.dataset, fold, method.name)
        check_arrays(tested.dataset, content, method.configuration, fold, _stock_command(grid, method))


def _outside(
    configuration: str,
    kind: TrainerKind,
    tests: Sequence[Tested],
    contents: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
) -> list[list[dict[str, Any]]]:
    """For each dataset, the number and digest of another tool's labels that are trained on; empty without any.

    They are the preprocessed ones: a training sees no others.
    """
    found = []
    for tested, content, fold in zip(tests, contents, folds, strict=True):
        name = content["configurations"][configuration].get("data_identifier")
        reads = name is not None and kind.reads_outside(content)
        maps = outside_maps(dataset_folder("preprocessed", tested.dataset.id) / name, fold) if reads else {}
        found.append([maps] if maps else [])
    return found


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


def _find_folds(tests: Sequence[Tested], cell: Cell) -> tuple[int, list[Fold]]:
    """The number of the fold of a cell, the same in all datasets, and the fold of each dataset."""
    numbers, folds = {}, []
    for tested in tests:
        folder = dataset_folder("preprocessed", tested.dataset.id)
        number = find_fold(folder, cell.label_rate, cell.seed)
        numbers[tested.dataset.name] = number
        folds.append(load_fold(folder, number))
    if len(set(numbers.values())) > 1:
        raise UserError(
            f"label rate {cell.label_rate:g} and seed {cell.seed} are not the same fold in all datasets ({numbers}): "
            f"split them together with `mass_nnunet split`"
        )
    return next(iter(numbers.values())), folds
