"""Figures: segmentations over scans, the registration of an atlas, and training curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from mass_nnunet.api.best_atlas import Registration
from mass_nnunet.data.pose import Pose, pose_to_compare
from mass_nnunet.data.regions import classes_of
from mass_nnunet.labels import LABELS
from mass_nnunet.registration.fields import folding, jacobian_determinant

from .drawing import draw_truth, figure_file, grey_window, legend, paint, read_radiological, show, typical_slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID_LINES = 16
"""Lines of the deformed grid across the picture."""
_COLUMNS = 4
"""Terms of the objective beside each other."""


@dataclass(frozen=True)
class OverlayRow:
    """One row of :func:`plot_overlays`: files on one grid, in any orientation."""

    title: str
    modality: str
    image: Path
    truth: Path
    predictions: Mapping[str, Path]  # by the name of the method


def plot_overlays(scans: Sequence[OverlayRow], path: Path) -> None:
    """Draw one row per scan: the scan, the truth, and each method's prediction with the contour of the truth.

    Each row shows the :func:`typical_slice` of its truth, in radiological convention where it is axial.
    """
    methods = list(scans[0].predictions)
    slices = [_slices(scan) for scan in scans]
    height = sum(3.0 * image.shape[0] * aspect / image.shape[1] for image, *_, aspect in slices)
    size = (3.0 * (2 + len(methods)), height + 0.9)
    with figure_file(path, len(scans), 2 + len(methods), size) as (figure, grid):
        for row, scan, (image, window, truth, predictions, aspect) in zip(grid, scans, slices, strict=True):
            row[0].set_ylabel(scan.title)
            for axes in row:
                show(axes, image, window, aspect)
            paint(row[1], truth, aspect, LABELS)
            for axes, prediction in zip(row[2:], predictions, strict=True):
                paint(axes, prediction, aspect, LABELS)
                draw_truth(axes, truth, LABELS)
        for axes, title in zip(grid[0], ("scan", "truth", *methods), strict=True):
            axes.set_title(title)
        legend(figure, LABELS, truth=True)


def _slices(scan: OverlayRow) -> tuple[np.ndarray, tuple[float, float], np.ndarray, list[np.ndarray], float]:
    """Image (Y, X), grey window, truth (Y, X), predictions (Y, X), and the height of a voxel over its width."""
    pose = pose_to_compare([scan.image])
    image, spacing = read_radiological(scan.image, pose)
    truth, _ = read_radiological(scan.truth, pose, LABELS)
    z = typical_slice(truth)
    predictions = [read_radiological(file, pose, LABELS)[0][z] for file in scan.predictions.values()]
    return image[z], grey_window(image, scan.modality), truth[z], predictions, spacing[1] / spacing[2]


class Frame(NamedTuple):
    """What preprocessed arrays show.

    Attributes:
        spacing: mm (z, y, x).
        pose: of their axes.
        values: labels by name.
    """

    spacing: tuple[float, float, float]
    pose: Pose
    values: Mapping[str, int]

    @classmethod
    def of_model(
        cls, plans: PlansManager, configuration: ConfigurationManager, dataset_json: Mapping[str, Any]
    ) -> "Frame":
        """The frame of scans that are preprocessed for a model."""
        pose = Pose.of_reader(plans.plans["image_reader_writer"])
        return cls(tuple(configuration.spacing), pose, classes_of(dataset_json["labels"]))

    @property
    def aspect(self) -> float:
        """The height of a voxel of a slice over its width."""
        return self.spacing[1] / self.spacing[2]


def plot_registration(registration: Registration, path: Path, frame: Frame) -> None:
    """Draw an atlas, a target, the warped atlas, the deformed grid, its Jacobian determinant, and the labels.

    The arrays are preprocessed. The picture is the :func:`typical_slice` of the target, in radiological convention
    where it is axial.

    Args:
        registration: of an atlas to a scan, the target.
        path: the PNG file.
        frame: the same for all arrays.
    """
    atlas, target, warped, field, atlas_labels, warped_labels, target_labels = registration
    z = typical_slice(target_labels)
    cut, aspect, values = (z, *frame.pose.flips), frame.aspect, frame.values
    jacobian = jacobian_determinant(torch.from_numpy(np.ascontiguousarray(field))[None])  # (1, Z - 1, Y - 1, X - 1)
    shown = {
        "atlas": atlas,
        "target": target,
        "warped atlas": warped,
        "deformed grid": warped,
        f"Jacobian determinant, {100 * folding(jacobian):.2f} % folded": target,
        "warped labels": target,
    }
    height = 3.0 * target.shape[1] * aspect / target.shape[2] + 0.9
    with figure_file(path, 1, len(shown), (3.0 * len(shown), height)) as (figure, grid):
        row = grid[0]
        for axes, (title, image) in zip(row, shown.items(), strict=True):
            show(axes, image[cut], grey_window(image, "preprocessed"), aspect)
            axes.set_title(title)
        paint(row[0], atlas_labels[cut], aspect, values)
        paint(row[1], target_labels[cut], aspect, values)
        _draw_grid(row[3], field[1:, z], aspect, frame.pose)
        row[4].images[-1].remove()
        _draw_jacobian(row[4], jacobian[0, min(z, jacobian.shape[1] - 1)].numpy()[frame.pose.flips], aspect)
        paint(row[5], warped_labels.argmax(0)[cut], aspect, values)
        draw_truth(row[5], target_labels[cut], values)
        legend(figure, values, truth=True)


def _draw_grid(axes: "Axes", field: np.ndarray, aspect: float, pose: Pose) -> None:
    """Draw a regular grid of the atlas as a field (2, Y, X), components y, x, deforms it."""
    y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in field.shape[1:]), indexing="ij")
    step = x.shape[1] / _GRID_LINES
    # A line of the warped grid is a contour line of a coordinate of the pull-back. This is exact, also at folds.
    for coordinate, scale in (((y + field[0])[pose.flips], aspect), ((x + field[1])[pose.flips], 1.0)):
        if coordinate.max() > coordinate.min():
            levels = np.arange(np.floor(coordinate.min()), coordinate.max(), step / scale)
            axes.contour(coordinate, levels=levels, colors=["#4fc3f7"], linewidths=0.8)


def _draw_jacobian(axes: "Axes", determinant: np.ndarray, aspect: float) -> None:
    """Draw the Jacobian determinant (Y, X) of a pull-back: above 1, a voxel shows a larger part of the atlas.

    White: the volume is the same; blue: the atlas grows; red: it shrinks; black: space is folded.
    """
    axes.imshow(determinant, cmap="coolwarm", vmin=0, vmax=2, aspect=aspect, interpolation="nearest")
    axes.imshow(np.where(determinant <= 0, 0.0, np.nan), cmap="gray", vmin=0, vmax=1, aspect=aspect)


def plot_branches(
    image: np.ndarray,
    truth: np.ndarray | None,
    predictions: Mapping[str, np.ndarray],
    path: Path,
    frame: Frame,
) -> None:
    """Draw a scan, its truth, the prediction of each branch of a model, and the voxels where these disagree.

    The arrays are preprocessed (see :func:`plot_registration`).

    Args:
        image: intensities (Z, Y, X).
        truth: labels (Z, Y, X); None if they are not known.
        predictions: labels (Z, Y, X) by branch.
        path: the PNG file.
        frame: of the arrays.
    """
    shown = list(predictions.values())
    cut = (typical_slice(shown[0] if truth is None else truth), *frame.pose.flips)
    aspect, values = frame.aspect, frame.values
    titles = ["scan", *(["truth"] if truth is not None else []), *predictions]
    titles += ["where they disagree"] if len(shown) > 1 else []
    size = (3.0 * len(titles), 3.0 * image.shape[1] * aspect / image.shape[2] + 0.9)
    with figure_file(path, 1, len(titles), size) as (figure, grid):
        panels = dict(zip(titles, grid[0], strict=True))
        for title, axes in panels.items():
            show(axes, image[cut], grey_window(image, "preprocessed"), aspect)
            axes.set_title(title)
        if truth is not None:
            paint(panels["truth"], truth[cut], aspect, values)
        for branch, labels in predictions.items():
            paint(panels[branch], labels[cut], aspect, values)
            if truth is not None:
                draw_truth(panels[branch], truth[cut], values)
        if len(shown) > 1:
            differ = np.any([labels != shown[0] for labels in shown[1:]], axis=0)[cut]
            overlay = np.where(differ[..., None], np.array([0.85, 0.1, 0.1, 0.8]), 0.0)
            panels["where they disagree"].imshow(overlay, aspect=aspect, interpolation="nearest")
        legend(figure, values, truth=truth is not None)


def plot_curves(runs: Mapping[str, Mapping[str, Sequence[float]]], path: Path) -> None:
    """Draw loss and Dice of trainings by epoch.

    Args:
        runs: nnU-Net's log of each training (``checkpoint["logging"]``), by title.
        path: the figure's file.
    """
    with figure_file(path, 1, len(runs), (4.2 * len(runs), 3.0)) as (_, grid):
        for axes, (title, log) in zip(grid[0], runs.items(), strict=True):
            axes.plot(log["train_losses"], color="#0072B2", label="training loss")
            axes.plot(log["val_losses"], color="#D55E00", label="validation loss")
            axes.set(title=title, xlabel="epoch", ylabel="loss")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(color="#e4e7eb", linewidth=0.6)
            right = axes.twinx()
            right.plot(log["mean_fg_dice"], color="#009E73", label="validation Dice (of patches)")
            right.set(ylim=(0, 1), ylabel="Dice")
            right.spines["right"].set_visible(True)
            handles = axes.lines + right.lines
        grid[0][0].figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def plot_terms(log: Mapping[str, Sequence[float]], path: Path, *, prefix: str) -> None:
    """Draw each term of the objective by epoch, from the entries of nnU-Net's log that begin with ``prefix``.

    A term that is 0 in every epoch is left out.
    """
    terms = {key.removeprefix(prefix): values for key, values in log.items() if key.startswith(prefix) and any(values)}
    columns = min(_COLUMNS, len(terms))
    rows = -(-len(terms) // columns)
    with figure_file(path, rows, columns, (2.9 * columns, 2.1 * rows)) as (_, grid):
        for axes in grid.flat[len(terms) :]:
            axes.set_visible(False)
        for axes, (term, values) in zip(grid.flat, terms.items(), strict=False):
            axes.plot(values, color="#0072B2", linewidth=1.4, marker="." if len(values) < 2 else None)
            axes.set_title(term, loc="left")
            axes.grid(color="#e4e7eb", linewidth=0.6)
            axes.margins(y=0.12)
            axes.xaxis.get_major_locator().set_params(integer=True)
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
