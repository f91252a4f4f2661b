"""Scores of predictions against the truth: all metrics (metrics.py) and the volumes, per case and organ."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from mass_nnunet.data.annotated import Annotated
from mass_nnunet.data.dataset_json import Labels
from mass_nnunet.data.files import check_link
from mass_nnunet.data.label_map import check_known, known_values, mask_of, translated, whole_values
from mass_nnunet.data.listing import listed
from mass_nnunet.data.volume import SAME_GRID, aligned, describe_grid, grid_distance, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE
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


@dataclass(frozen=True)
class Rules:
    """How label maps are scored.

    Attributes:
        labels: organ to value, or values of a region, as in dataset.json; background and ``ignore`` are skipped.
        tolerances: tolerances of the normalized surface Dice, in mm.
        ending: ending of the files: the case is the name of the truth without it.
        annotated: annotated structures of cases that are annotated in part (``annotated.json``). The others of such a
            case have no row: it is not known whether they are there.
        prediction_labels: values of the organs in the predictions, where they are others than in the truth; all further
            values of the predictions are background then.
    """

    labels: Labels
    tolerances: Sequence[float] = TOLERANCES
    ending: str = ".nii.gz"
    annotated: Annotated = field(default_factory=dict)
    prediction_labels: Labels | None = None


def evaluate_case(prediction_file: Path, truth_file: Path, rules: Rules) -> list[dict]:
    """One row (``score_columns``) for each organ of one case.

    If the truth lacks the organ, all metrics are NaN, and ``prediction_ml`` tells whether it was predicted. If only the
    prediction lacks it, each metric has its value ``missed``: 0 for Dice and surface Dice, infinity for the distances,
    -1 for ``volume_difference``. A region of several values is scored as one organ. As in nnU-Net, voxels that the
    truth ignores are background in both.

    Args:
        prediction_file: a label map.
        truth_file: a label map of the same voxels; the order and direction of its axes may differ.
        rules: how it is scored.

    Raises:
        UserError: a file cannot be read, the grids differ, or one has a value that the labels lack.
    """
    return _score((prediction_file, truth_file), rules)[0]


def _score(files: tuple[Path, Path], rules: Rules) -> tuple[list[dict], tuple[str, ...]]:
    """The rows of ``evaluate_case``, and one sentence for each correction."""
    prediction, truth, spacing, notes = _read_pair(*files, rules.labels, rules.prediction_labels)
    case, metrics, rows = files[1].name.removesuffix(rules.ending), list_metrics(rules.tolerances), []
    for organ, label in rules.labels.items():
        if organ in (BACKGROUND, IGNORE) or organ not in rules.annotated.get(case, rules.labels):
            continue
        predicted, true = mask_of(prediction, label), mask_of(truth, label)
        box = bounding_box(predicted | true)
        masks = Masks(predicted[box], true[box], spacing, rules.tolerances)
        prediction_ml, truth_ml = masks.volumes
        row: dict[str, Any] = {"case": case, "organ": organ}
        for metric in metrics:
            if truth_ml == 0:
                row[metric.column] = float("nan")
            else:
                row[metric.column] = metric.measure(masks) if prediction_ml > 0 else metric.missed
        rows.append(row | {"truth_ml": truth_ml, "prediction_ml": prediction_ml})
    return rows, notes


def _read_pair(
    prediction_file: Path, truth_file: Path, labels: Labels, prediction_labels: Labels | None
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float], tuple[str, ...]]:
    """Values (Z, Y, X) of prediction and truth on one grid, its spacing (z, y, x) in mm, and notes.

    Raises:
        UserError: see ``evaluate_case``.
    """
    truth_image, image = read_volume(truth_file), read_volume(prediction_file)
    turned = image if grid_distance(truth_image, image) <= SAME_GRID else aligned(image, truth_image)
    if grid_distance(truth_image, turned) > SAME_GRID:
        raise UserError(
            f"{prediction_file} ({describe_grid(image)}) is not on the grid of {truth_file} "
            f"({describe_grid(truth_image)}): predict on the scan that the truth was annotated on"
        )
    truth, notes = whole_values(sitk.GetArrayFromImage(truth_image), truth_file)
    check_known(truth, known_values(labels), truth_file)
    prediction, rounded = whole_values(sitk.GetArrayFromImage(turned), prediction_file)
    if prediction_labels is not None:
        prediction = translated(prediction, prediction_labels, labels)
    if IGNORE in labels:
        ignored = mask_of(truth, labels[IGNORE])
        truth, prediction = np.where(ignored, 0, truth), np.where(ignored, 0, prediction)
    predictable = {organ: label for organ, label in labels.items() if organ != IGNORE}
    check_known(prediction, known_values(predictable), prediction_file)
    x, y, z = truth_image.GetSpacing()
    return prediction, truth, (z, y, x), (*notes, *rounded)


def evaluate_folder(predictions: Path, truth: Path, rules: Rules, processes: int = 1) -> pd.DataFrame:
    """The rows of ``evaluate_case`` for every file of ``truth``, in order of name.

    Each process holds one case at a time and returns its rows only. What was corrected in the files is printed on
    standard error.

    Args:
        predictions: folder of the predicted label maps.
        truth: folder of the true label maps; files with another ending than that of the rules are left out.
        rules: how they are scored.
        processes: number of processes.

    Raises:
        UserError: there is no true label map, a prediction is missing, or ``evaluate_case`` raises it.
    """
    truth_files = [file for file in listed(Path(truth), rules.ending) if not file.name.startswith(".")]
    if not truth_files:
        raise UserError(f"{truth} has no file that ends with {rules.ending}: name the folder of the true label maps")
    jobs = []
    for file in truth_files:
        prediction = Path(predictions) / file.name
        check_link(prediction)
        if not prediction.is_file():
            listed(Path(predictions), rules.ending)  # it may be there with another ending
            raise UserError(f"{prediction} is missing: predict that case, or take {file} out of the truth")
        jobs.append((prediction, file))
    cases = map_cases(partial(_score, rules=rules), jobs, processes=processes, description="evaluating")
    for note in (note for _, notes in cases for note in notes):
        print(f"note: {note}", file=sys.stderr)
    return pd.DataFrame([row for rows, _ in cases for row in rows], columns=score_columns(rules.tolerances))


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
