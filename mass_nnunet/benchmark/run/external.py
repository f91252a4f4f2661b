"""Predictions that another tool made: their files are checked and scored, and scored again when they change."""

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mass_nnunet.data.dataset_json import DATASET_JSON, read_dataset_json
from mass_nnunet.data.files import check_link, digest
from mass_nnunet.data.names import label_name
from mass_nnunet.data.raw import TEST
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.metrics import DICE
from mass_nnunet.labels import BACKGROUND, IGNORE

from .entries import External
from .grid import Cell, Grid
from .job import Job, Tested
from .scoring import SCORED, SCORES, of_cell, score_test_scans, write_scores
from .state import DONE, read_record

INFERENCE = "segmentation"
"""How external predictions are called among the inferences: the only one of their method."""
_SPLIT = re.compile(r"[0-9.e+-]+_\d+")
_DATASET = re.compile(r"Dataset\d{3}_.+")


class Found(NamedTuple):
    """The predictions for a cell.

    Attributes:
        folder: folder of the subfolders of the datasets.
        tests: datasets that were predicted.
        inputs: digest of all that the scores depend on.
    """

    folder: Path
    tests: tuple[Tested, ...]
    inputs: str


def find_predictions(grid: Grid, external: External, tests: Sequence[Tested]) -> dict[Cell, Found]:
    """The predictions of a tool for each of its cells.

    Its folder has a subfolder for each dataset, named as the dataset: these predictions stand for every label rate and
    seed. If it has subfolders ``RATE_SEED``, such as ``0.1_0``, each of those has the subfolders of the datasets: then
    the tool was trained on each split. A dataset without a subfolder was not predicted.

    Raises:
        UserError: a folder or a prediction is missing, a folder is of no dataset, or a prediction is the truth.
    """
    name, top = external.name, external.folder
    check_link(top)
    if not top.is_dir():
        raise UserError(f"external {name}: {top} is no folder: name the folder of its predictions")
    cells = [cell for cell in grid.cells if cell.method == name]
    if not any(_SPLIT.fullmatch(path.name) for path in _folders(top)):
        found = _find(external, top, tests)
        return dict.fromkeys(cells, found)
    by_cell = {}
    for cell in cells:
        folder = top / cell.name.removeprefix(f"{name}_")
        if not folder.is_dir():
            raise UserError(
                f"external {name}: {folder} does not exist: put its predictions for label rate {cell.label_rate:g} and "
                f"seed {cell.seed} there, or take them or {name} out of the grid"
            )
        by_cell[cell] = _find(external, folder, tests)
    return by_cell


def _find(external: External, folder: Path, tests: Sequence[Tested]) -> Found:
    names = [tested.dataset.name for tested in tests]
    expected = f"the subfolders are named as the datasets, {', '.join(names)}"
    for path in _folders(folder):
        is_misspelt = path.name[:10] in {name[:10] for name in names} and path.name not in names
        if is_misspelt or not _DATASET.fullmatch(path.name):
            raise UserError(f"external {external.name}: {path} is of no dataset: rename or remove it, {expected}")
    predicted = tuple(tested for tested in tests if (folder / tested.dataset.name).is_dir())
    if not predicted:
        raise UserError(f"external {external.name}: {folder} has no predictions: {expected}")
    for tested in predicted:
        _check(external, folder / tested.dataset.name, tested)
    return Found(folder, predicted, _digest(external, folder, predicted))


def _folders(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith("."))


def _check(external: External, folder: Path, tested: Tested) -> None:
    """Make sure that every test scan has a prediction, and that the meaning of its values is known."""
    raw, name = tested.dataset, external.name
    files = [folder / label_name(case, raw.ending) for case in raw.cases(TEST)]
    for file in files:
        check_link(file)
    if absent := [file for file in files if not file.is_file()]:
        others = f", and {len(absent) - 1} more of {len(files)}" if len(absent) > 1 else ""
        raise UserError(
            f"external {name}: {absent[0]} is missing{others}: predict all scans of {tested.images}, or take {name} "
            "out of the grid"
        )
    if external.labels and raw.regions:
        raise UserError(
            f"external {name}: it has labels in the grid, which are not supported for the regions of {raw.name}: give "
            f"its predictions the values of {raw.folder / DATASET_JSON}, and take its labels out"
        )
    organs = {organ for organ in raw.labels if organ != BACKGROUND}
    if external.labels and external.labels.keys() != organs:
        wrong = sorted(external.labels.keys() ^ organs)[0]
        raise UserError(
            f"external {name}: its labels {'lack' if wrong in organs else 'have'} {wrong}: name the values of "
            f"{', '.join(sorted(organs))}, with [] for what it does not segment"
        )
    written = folder / DATASET_JSON
    if not external.labels and written.is_file():
        its = read_dataset_json(written, "remove it", ["labels"])["labels"]
        its_own, ours = ({organ: v for organ, v in each.items() if organ != IGNORE} for each in (its, raw.scored))
        if its_own != ours:
            raise UserError(
                f"external {name}: {written} has other labels than {raw.folder / DATASET_JSON}: give its `labels` in "
                "the grid"
            )


def _digest(external: External, folder: Path, tests: Sequence[Tested]) -> str:
    """A digest of the predictions, of the truth, and of what else the scores depend on.

    Raises:
        UserError: a prediction is the label map of the truth itself.
    """
    content: list[Any] = [dict(external.labels)]
    for tested in tests:
        raw = tested.dataset
        for case in raw.cases(TEST):
            file = folder / raw.name / label_name(case, raw.ending)
            its, true = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (file, raw.label_path(TEST, case)))
            if its == true:
                raise UserError(
                    f"external {external.name}: {file} is the true label map: name the folder of the tool's predictions"
                )
            content.append([raw.name, case, its, true])
        content.append([raw.scored, raw.annotated(), raw.patients()])
    return digest(content)


def score_external(job: Job) -> dict[str, Any]:
    """Score the predictions of a cell, and write its ``scores.csv``.

    Returns:
        The content of ``cell.json``.

    Raises:
        UserError: a prediction cannot be read, is not on the grid of its truth or has a value without a name, all of
            them equal the truth, or they changed meanwhile.
    """
    external, folder = job.external, job.predicted
    assert external is not None and folder is not None, f"{job.cell.title} has no predictions of another tool"
    start = time.perf_counter()
    scores = _scored_before(job)
    if scores is None:
        tables = []
        for tested in job.tested:
            table = score_test_scans(tested.dataset, folder / tested.dataset.name, external.labels or None)
            dice = table[DICE.column].dropna()
            if len(dice) and dice.eq(1).all():
                raise UserError(
                    f"external {external.name}: all of {folder / tested.dataset.name} equals the truth: name the "
                    "folder of the tool's predictions"
                )
            tables.append(of_cell(job, tested, INFERENCE, table))
        if _digest(external, folder, job.tested) != job.inputs:
            raise UserError(
                f"external {external.name}: {folder} changed while it was scored: run again when it is whole"
            )
    else:
        tables = [scores.assign(label_rate=job.cell.label_rate, seed=job.cell.seed)]
    write_scores(job.folder, tables)
    return {"inferences": [INFERENCE], "seconds": time.perf_counter() - start}


def _scored_before(job: Job) -> pd.DataFrame | None:
    """The scores of another cell that has the same predictions."""
    for cell in job.grid.cells:
        folder = job.folder.with_name(cell.name)
        record = read_record(folder) if cell.method == job.cell.method else {}
        if record.get("state") == DONE and record.get("inputs") == job.inputs:
            # Without round_trip the last digit may differ from that of the first cell.
            return pd.read_csv(folder / SCORES, dtype=dict.fromkeys(SCORED, str), float_precision="round_trip")
    return None
