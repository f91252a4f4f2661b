"""How good a prediction is: Dice, surface distances in millimetres, and volumes, per case and organ."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy.ndimage import binary_erosion, find_objects
from scipy.spatial import cKDTree

from .errors import UserError
from .organs import BACKGROUND
from .volume import SAME_GRID, describe_grid, grid_distance, read_volume
from .workers import map_cases

COLUMNS = ("case", "organ", "dice", "hd", "hd95", "assd", "volume_difference", "truth_ml", "prediction_ml")


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Overlap of two boolean masks (Z, Y, X), 0 to 1; NaN when both are empty."""
    size = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return 2.0 * np.count_nonzero(prediction & truth) / size if size else float("nan")


def surface_points(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Centres in mm, (N, 3), of the voxels of ``mask`` (Z, Y, X) that have a face neighbour outside of it.

    What lies beyond the image counts as inside: where the field of view cuts an organ off, it has no surface.
    """
    box = find_objects(mask.astype(np.uint8))
    if not box:
        return np.empty((0, 3))
    # One voxel more on each side, where the image has one: there the border of the box is the border of the image.
    wider = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box[0])
    inside = mask[wider]
    offset = [part.start for part in wider]
    return (np.argwhere(inside & ~binary_erosion(inside, border_value=1)) + offset) * spacing


class SurfaceDistances(NamedTuple):
    """In mm.

    Attributes:
        hd: Hausdorff distance, the largest of all (maximum symmetric surface distance, MSSD).
        hd95: the larger of the two directed 95th percentiles.
        assd: average symmetric surface distance, the mean over all surface voxels of both masks.
    """

    hd: float
    hd95: float
    assd: float


def surface_distances(
    prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, float, float]
) -> SurfaceDistances:
    """Surface distances of two boolean masks (Z, Y, X); ``spacing`` in mm, in (z, y, x) order.

    These are the definitions of the CHAOS challenge (Kavur et al. 2021; github emrekavur/CHAOS-evaluation), and those
    of MONAI (``use_subvoxels=False``) for masks that do not touch the border of the image.
    google-deepmind/surface-distance puts the surface on voxel corners and weights by area, which differs by up to the
    diagonal of a voxel.

    All are NaN when both masks are empty, and infinite when one of them is, or has no surface as it fills the image.
    """
    if not prediction.any() and not truth.any():
        return SurfaceDistances(*[float("nan")] * 3)
    surfaces = surface_points(prediction, spacing), surface_points(truth, spacing)
    if any(len(surface) == 0 for surface in surfaces):
        return SurfaceDistances(*[float("inf")] * 3)
    directed = [
        cKDTree(there).query(here)[0] for here, there in ((surfaces[0], surfaces[1]), (surfaces[1], surfaces[0]))
    ]
    both = np.concatenate(directed)
    hd95 = max(np.percentile(distances, 95) for distances in directed)
    return SurfaceDistances(float(both.max()), float(hd95), float(both.mean()))


def evaluate_case(prediction_file: Path, truth_file: Path, labels: Mapping[str, int]) -> list[dict]:
    """One row (``COLUMNS``) for each organ of one case.

    Where the truth has no such organ all measures are NaN, and ``prediction_ml`` tells whether one was invented.
    Where only the prediction has none, Dice is 0, the distances are infinite and ``volume_difference`` is -1.

    Args:
        prediction_file: a label map.
        truth_file: a label map on the same grid.
        labels: organ to value, as in dataset.json; background is skipped.

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
    rows = []
    for organ, value in labels.items():
        if organ == BACKGROUND:
            continue
        here, there = prediction == value, truth == value
        volumes = np.count_nonzero(there) * voxel_ml, np.count_nonzero(here) * voxel_ml
        measures = [float("nan")] * 5
        if volumes[0] > 0:
            measures = [dice(here, there), *surface_distances(here, there, spacing), volumes[1] / volumes[0] - 1]
        case = truth_file.name.split(".")[0]
        rows.append(dict(zip(COLUMNS, (case, organ, *measures, *volumes), strict=True)))
    return rows


def _evaluate_job(job: tuple[Path, Path, Mapping[str, int]]) -> list[dict]:
    return evaluate_case(*job)


def evaluate_folder(
    predictions: Path, truth: Path, labels: Mapping[str, int], processes: int = 1, ending: str = ".nii.gz"
) -> pd.DataFrame:
    """``evaluate_case`` for every file of ``truth`` that ends with ``ending``, in order of name.

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
        jobs.append((prediction, file, labels))
    cases = map_cases(_evaluate_job, jobs, processes=processes, description="evaluating")
    return pd.DataFrame([row for rows in cases for row in rows], columns=list(COLUMNS))


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
