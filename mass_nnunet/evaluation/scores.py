"""Scores of predictions against the truth: all metrics (metrics.py) and the volumes, per case and organ."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from mass_nnunet.data.volume import SAME_GRID, describe_grid, grid_distance, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND
from mass_nnunet.runtime.workers import map_cases

from .metrics import DICE, TOLERANCES, Masks, list_metrics


def score_columns(tolerances: Sequence[float] = TOLERANCES) -> list[str]:
    """Columns of the scores: case, organ, all metrics (``nsd_2mm`` for a tolerance of 2 mm), and the volumes in ml."""
    return ["case", "organ", *(metric.column for metric in list_metrics(tolerances)), "truth_ml", "prediction_ml"]


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The bounding box of a boolean ``mask`` (Z, Y, X) with a margin of one voxel, as far as the image reaches.

    Without a margin, at the border of the image, a mask has no surface (surface.py).
    """
    box = []
    for axis in range(mask.ndim):
        inside = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(max(0, inside[0] - 1), inside[-1] + 2) if inside.size else slice(0, 0))
    return tuple(box)


def evaluate_case(
    prediction_file: Path, truth_file: Path, labels: Mapping[str, int], tolerances: Sequence[float] = TOLERANCES
) -> list[dict]:
    """One row (``score_columns``) for each organ of one case.

    If the truth lacks the organ, all metrics are NaN, and ``prediction_ml`` tells whether it was predicted. If only the
    prediction lacks it, each metric has its value ``missed``: 0 for Dice and surface Dice, infinity for the distances,
    -1 for ``volume_difference``.

    Args:
        prediction_file: a label map.
        truth_file: a label map on the same grid.
        labels: organ to value, as in dataset.json; background is skipped.
        tolerances: tolerances of the normalized surface Dice, in mm.

    Raises:
        UserError: a file cannot be read, the grids differ, or the truth has a value that ``labels`` lacks.
    """
    truth_image, prediction_image = read_volume(truth_file), read_volume(prediction_file)
    if grid_distance(truth_image, prediction_image) > SAME_GRID:
        raise UserError(
            f"{prediction_file} ({describe_grid(prediction_image)}) is not on the grid of {truth_file} "
            f"({describe_grid(truth_image)}): predict on the scan that the truth was annotated on"
        )
    truth, prediction = sitk.GetArrayFromImage(truth_image), sitk.GetArrayFromImage(prediction_image)
    unknown = np.setdiff1d(truth, list(labels.values()))
    if unknown.size:
        raise UserError(
            f"{truth_file} has value {unknown[0]:g}, which dataset.json does not name: is it another truth?"
        )
    spacing = truth_image.GetSpacing()[::-1]
    case, metrics, rows = truth_file.name.split(".")[0], list_metrics(tolerances), []
    for organ, value in labels.items():
        if organ == BACKGROUND:
            continue
        box = bounding_box((prediction == value) | (truth == value))
        masks = Masks(prediction[box] == value, truth[box] == value, spacing, tolerances)
        prediction_ml, truth_ml = masks.volumes
        row: dict[str, Any] = {"case": case, "organ": organ}
        for metric in metrics:
            if truth_ml == 0:
                row[metric.column] = float("nan")
            else:
                row[metric.column] = metric.measure(masks) if prediction_ml > 0 else metric.missed
        rows.append(row | {"truth_ml": truth_ml, "prediction_ml": prediction_ml})
    return rows


def _evaluate_job(files: tuple[Path, Path], labels: Mapping[str, int], tolerances: Sequence[float]) -> list[dict]:
    return evaluate_case(*files, labels, tolerances)


def evaluate_folder(
    predictions: Path,
    truth: Path,
    labels: Mapping[str, int],
    processes: int = 1,
    ending: str = ".nii.gz",
    tolerances: Sequence[float] = TOLERANCES,
) -> pd.DataFrame:
    """The rows of ``evaluate_case`` for every file of ``truth`` that ends with ``ending``, in order of name.

    Each process holds one case at a time and returns its rows only.

    Raises:
        UserError: there is no true label map, a prediction is missing, or ``evaluate_case`` raises it.
    """
    truth_files = sorted(file for file in Path(truth).glob(f"*{ending}") if not file.name.startswith("."))
    if not truth_files:
        raise UserError(f"{truth} has no file that ends with {ending}: name the folder of the true label maps")
    jobs = []
    for file in truth_files:
        prediction = Path(predictions) / file.name
        if not prediction.is_file():
            raise UserError(f"{prediction} is missing: predict that case, or take {file} out of the truth")
        jobs.append((prediction, file))
    job = partial(_evaluate_job, labels=labels, tolerances=tolerances)
    cases = map_cases(job, jobs, processes=processes, description="evaluating")
    return pd.DataFrame([row for rows in cases for row in rows], columns=score_columns(tolerances))


def summarize(scores: pd.DataFrame, by: list[str], metric: str) -> pd.DataFrame:
    """Mean and sample standard deviation of the column ``metric`` for each group, in order of appearance.

    The distance of an organ that was not found is infinite. Mean and standard deviation are over the organs that were
    found, and ``missed`` counts the others. ``cases`` counts the cases where the truth has the organ.
    """
    scores = scores.dropna(subset=DICE.column)
    finite = scores[metric].where(np.isfinite(scores[metric]))
    groups = scores.assign(**{metric: finite}).groupby(by, sort=False)
    table = groups[metric].agg(mean="mean", sd="std", found="count", cases="size")
    return table.assign(missed=table["cases"] - table["found"]).drop(columns="found")
