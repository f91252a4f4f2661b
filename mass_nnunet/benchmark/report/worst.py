"""The worst cases: a table of organs, and a figure with the worst scan of each method."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mass_nnunet.benchmark.run.grid import Cell
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.data.label_map import translated
from mass_nnunet.data.names import label_name
from mass_nnunet.data.pose import pose_to_compare
from mass_nnunet.data.raw import TEST
from mass_nnunet.evaluation.metrics import DICE, HD95
from mass_nnunet.labels import IGNORE
from mass_nnunet.reporting.drawing import (
    draw_truth,
    figure_file,
    grey_window,
    legend,
    paint,
    read_radiological,
    show,
)

from .formats import Entry, Table
from .results import Results
from .tables import organ_title, setting_title

_ACROSS = 4


def worst_scans(results: Results, setting: tuple[str, float]) -> pd.DataFrame:
    """The scan with the lowest mean Dice over organs of each method, among all seeds, in the order of the methods.

    Columns: those of ``SCORED`` without the organ, trainer, and dice.
    """
    scan = ["method", "trainer", "modality", "dataset", "label_rate", "seed", "inference", "case", "patient"]
    means = results.of(*setting).groupby(scan, sort=False)[DICE.column].mean().dropna().reset_index()
    worst = means.loc[means.groupby("method")[DICE.column].idxmin()]
    return worst.set_index("method").reindex([m for m in results.methods if m in set(worst["method"])]).reset_index()


def worst_table(results: Results, count: int = 10) -> Table:
    """The ``count`` organs with the lowest Dice of each setting; a method's organ of a scan is listed only once."""
    groups = []
    for setting in results.settings:
        rows = results.of(*setting).dropna(subset=DICE.column).sort_values(DICE.column, kind="stable")
        rows = rows.drop_duplicates(["method", "case", "organ"]).head(count)
        entries = []
        for _, row in rows.iterrows():
            hd95 = row.get(HD95.column, np.nan)
            numbers = [DICE.text(row[DICE.column]), HD95.text(hd95) if np.isfinite(hd95) else "–"]
            numbers += [f"{row[name]:.1f}" if name in row else "–" for name in ("truth_ml", "prediction_ml")]
            words = [row["method"], row["case"], organ_title(row["organ"]), str(row["seed"]), *numbers]
            entries.append([Entry(word) for word in words])
        groups.append((setting_title(*setting), entries))
    header = ["method", "case", "organ", "seed", DICE.title, HD95.title, "truth (ml)", "prediction (ml)"]
    return Table(header, groups, f"The {count} organs with the lowest Dice", text_columns=3)


@dataclass(frozen=True)
class Panel:
    """One slice of a scan: image, truth and prediction (Y, X), in radiological convention where it is axial."""

    title: str
    image: np.ndarray
    window: tuple[float, float]
    truth: np.ndarray
    prediction: np.ndarray
    aspect: float


def draw_worst(worst: pd.DataFrame, jobs: dict[Cell, Job], path: Path) -> int:
    """Draw the scans of :func:`worst_scans` side by side, each in the slice where truth and prediction differ most.

    Returns:
        Number of scans in the figure. Scans without files are left out; without any scan no figure is written.
    """
    found = [(row, *found) for row in worst.itertuples() if (found := _files(row, jobs)) is not None]
    if not found:
        return 0
    dataset = next(iter(jobs.values())).tested[0].dataset
    labels = dataset.labels
    slices = [_panel(row, files, dataset.values, job) for row, files, job in found]
    columns = min(_ACROSS, len(slices))
    rows = -(-len(slices) // columns)
    tallest = max(part.image.shape[0] * part.aspect / part.image.shape[1] for part in slices)
    with figure_file(path, rows, columns, (2.67 * columns, rows * (2.55 * tallest + 0.55) + 0.4)) as (figure, grid):
        for axes in grid.flat[len(slices) :]:
            axes.set_visible(False)
        for axes, part in zip(grid.flat, slices, strict=False):
            show(axes, part.image, part.window, part.aspect)
            paint(axes, part.prediction, part.aspect, labels)
            draw_truth(axes, part.truth, labels)
            axes.set_title(part.title, fontsize=8)
        legend(figure, labels, truth=True)
    return len(slices)


def _files(row: Any, jobs: dict[Cell, Job]) -> tuple[tuple[Path, Path, Path], Job] | None:
    """Image, truth and prediction of a scan, a row of ``itertuples``, and its job; None if one does not exist."""
    job = jobs.get(Cell(row.trainer, row.label_rate, row.seed))
    if job is None:
        return None
    tested = next((part for part in job.tested if part.dataset.name == row.dataset), None)
    if tested is None:
        return None
    dataset = tested.dataset
    prediction = job.predictions(tested, row.inference) / label_name(row.case, dataset.ending)
    files = (dataset.image_paths(TEST, row.case)[0], dataset.label_path(TEST, row.case), prediction)
    return (files, job) if all(file.is_file() for file in files) else None


def _panel(row: Any, files: tuple[Path, Path, Path], labels: dict[str, int], job: Job) -> Panel:
    pose = pose_to_compare([files[0]])
    image, spacing = read_radiological(files[0], pose)
    truth = read_radiological(files[1], pose, labels)[0]
    if job.external is not None and job.external.labels:
        prediction = translated(read_radiological(files[2], pose)[0], job.external.labels, labels)
    else:
        prediction = read_radiological(files[2], pose, labels)[0]
    if (ignored := labels.get(IGNORE)) is not None:
        truth, prediction = (np.where(truth == ignored, 0, values) for values in (truth, prediction))
    z = int(np.count_nonzero(truth != prediction, axis=(1, 2)).argmax())
    title = f"{row.method}\n{row.case} · seed {row.seed} · Dice {DICE.text(row.dice)}"
    window = grey_window(image, row.modality)
    return Panel(title, image[z], window, truth[z], prediction[z], spacing[1] / spacing[2])
