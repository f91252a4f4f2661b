"""How good a prediction is: Dice, surface distances in millimetres, and volumes, per case and organ."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from mass_nnunet.data.volume import SAME_GRID, describe_grid, grid_distance, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND
from mass_nnunet.runtime.workers import map_cases

from .surface import surface_dice, surface_distances

TOLERANCES = (2.0,)
"""In mm, of the normalized surface Dice."""
NSD = "nsd_"
"""How the columns of the normalized surface Dice begin."""


def score_columns(tolerances: Sequence[float] = TOLERANCES) -> list[str]:
    """Columns of the scores: case, organ, the measures (``nsd_2mm`` for 2 mm), and the volumes."""
    surface = [f"{NSD}{tolerance:g}mm" for tolerance in tolerances]
    return ["case", "organ", "dice", "hd", "hd95", "assd", *surface, "volume_difference", "truth_ml", "prediction_ml"]


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Overlap of two boolean masks (Z, Y, X), 0 to 1; NaN when both are empty."""
    size = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return 2.0 * np.count_nonzero(prediction & truth) / size if size else float("nan")


def organ_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds a boolean ``mask`` (Z, Y, X), and a voxel more on each side where the image has one.

    Elsewhere the border of the box is that of the image, which is no surface (surface.py).
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

    Where the truth has no such organ all measures are NaN, and ``prediction_ml`` tells whether one was invented.
    Where only the prediction has none, Dice and surface Dice are 0, the distances are infinite and
    ``volume_difference`` is -1.

    Args:
        prediction_file: a label map.
        truth_file: a label map on the same grid.
        labels: organ to value, as in dataset.json; background is skipped.
        tolerances: in mm, of the normalized surface Dice.

    Raises:
        UserError: a file cannot be read, the grids differ, or the truth has a value that ``labels`` lacks.
    """
    truth_image, prediction_image = read_volume(truth_file), read_volume(prediction_file)
    if grid_distance(truth_image, prediction_image) > SAME_GRID:
        raise UserError(
            f"{prediction_file} ({describe_grid(prediction_image)}) is not on the grid of {truth_file} "
            f"({describe_grid(truth_image)}): predict on the scan that the truth was drawn on"
        )
    truth, prediction = sitk.GetArrayFromImage(truth_image), sitk.GetArrayFromImage(prediction_image)
    unknown = np.setdiff1d(truth, list(labels.values()))
    if unknown.size:
        raise UserError(
            f"{truth_file} has value {unknown[0]:g}, which dataset.json does not name: is it another truth?"
        )
    spacing = truth_image.GetSpacing()[::-1]
    voxel_ml = float(np.prod(spacing)) / 1000
    case, columns, rows = truth_file.name.split(".")[0], score_columns(tolerances), []
    for organ, value in labels.items():
        if organ == BACKGROUND:
            continue
        here, there = prediction == value, truth == value
        box = organ_box(here | there)
        here, there = here[box], there[box]
        volumes = np.count_nonzero(there) * voxel_ml, np.count_nonzero(here) * voxel_ml
        measures = [float("nan")] * (len(columns) - 4)
        if volumes[0] > 0:
            surface = surface_distances(here, there, spacing), surface_dice(here, there, spacing, tolerances)
            measures = [dice(here, there), *surface[0], *surface[1], volumes[1] / volumes[0] - 1]
        rows.append(dict(zip(columns, (case, organ, *measures, *volumes), strict=True)))
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
    """``evaluate_case`` for every file of ``truth`` that ends with ``ending``, in order of name.

    Each process holds one case at a time, and hands back its rows only.

    Raises:
        UserError: there is no truth, or no prediction for one of its files; and what ``evaluate_case`` raises.
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
    """Mean and standard deviation (of the sample) of ``metric`` for each group, in order of appearance.

    Distances of organs that were not found are infinite: the mean is over those that were found, and ``missed``
    counts the others. ``cases`` counts those where the truth has the organ.
    """
    scores = scores.dropna(subset="dice")
    finite = scores[metric].where(np.isfinite(scores[metric]))
    groups = scores.assign(**{metric: finite}).groupby(by, sort=False)
    table = groups[metric].agg(mean="mean", sd="std", found="count", cases="size")
    return table.assign(missed=table["cases"] - table["found"]).drop(columns="found")
