"""The scores of test scans, as they stand in ``scores.csv`` of a cell."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mass_nnunet.data.dataset_json import DATASET_JSON, Labels
from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.label_map import check_predictions
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.evaluation.scores import Rules, evaluate_folder

from .job import Job, Tested

SCORES = "scores.csv"
SCORED = ("method", "modality", "dataset", "label_rate", "seed", "inference", "case", "patient", "organ")
"""Columns that identify a row of the scores; all other columns are values."""


def score_test_scans(raw: RawDataset, predictions: Path, labels: Labels | None = None) -> pd.DataFrame:
    """The rows of ``evaluate_folder`` for the test scans of a dataset, with a column ``patient``.

    Args:
        raw: the dataset.
        predictions: folder of predicted label maps.
        labels: values of its organs in the predictions, where they are not those of the dataset.

    Raises:
        UserError: as in ``evaluate_folder``, or the model was trained with other labels than the dataset has.
    """
    if labels is None:
        check_predictions(predictions, raw.folder / DATASET_JSON, raw.scored)
    rules = Rules(raw.scored, ending=raw.ending, annotated=raw.annotated(), prediction_labels=labels)
    table = evaluate_folder(predictions, raw.label_folder(TEST), rules)
    table.insert(1, "patient", table["case"].map(raw.patients()))
    return table


def of_cell(job: Job, tested: Tested, inference: str, table: pd.DataFrame) -> pd.DataFrame:
    """Scores of a cell's predictions with the columns that say what they are of."""
    return table.assign(
        method=job.cell.method,
        modality=tested.modality,
        dataset=tested.dataset.name,
        label_rate=job.cell.label_rate,
        seed=job.cell.seed,
        inference=inference,
    )


def write_scores(folder: Path, tables: Sequence[pd.DataFrame]) -> None:
    """Write ``scores.csv`` of a cell from the tables of :func:`of_cell`."""
    scores = pd.concat(tables, ignore_index=True)
    measures = [column for column in scores.columns if column not in SCORED]
    with atomic_path(folder / SCORES) as temporary:
        scores[[*SCORED, *measures]].to_csv(temporary, index=False)
