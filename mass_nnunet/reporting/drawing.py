"""Common parts of all figures: the file, axial slices, and organs over them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.dataset_json import Labels
from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.label_map import read_label_map
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.volume import read_volume
from mass_nnunet.labels import BACKGROUND, IGNORE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable for the colour-blind, after Okabe and Ito; without grays.
COLOURS = ("#56B4E9", "#E69F00", "#F0E442", "#D55E7A", "#009E73", "#CC79A7", "#0072B2")
WINDOWS = {"CT": (-160.0, 240.0)}
"""Intensity window by modality: the usual soft tissue window in HU for CT, percentiles for all others."""
_INK = "#2b2f36"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#9aa1ab",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.parse_math": False,  # a name with two $ is no formula
    "svg.hashsalt": "mass_nnunet",  # the same figure is the same file
}
_SAVING: dict[str, dict[str, Any]] = {
    ".jpg": {"pil_kwargs": {"quality": 85, "subsampling": 0}},  # thin lines of colour would fade
    ".svg": {"metadata": {"Date": None}},
}


@contextmanager
def figure_file(
    path: Path, rows: int, columns: int, size: tuple[float, float]
) -> Iterator[tuple["Figure", np.ndarray]]:
    """A figure and its axes (rows, columns), which is written to ``path`` at the end of the block unless it raises.

    Args:
        path: file that ends in ``.png``, ``.jpg`` or ``.svg``.
        rows: number of rows.
        columns: number of columns.
        size: width and height in inches.
    """
    # Not pyplot: its global state and backend belong to the caller, such as nnU-Net's trainer.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.style import context

    # Start from the defaults: nnU-Net's logger changes the global style.
    with context(["default", _STYLE]), atomic_path(path) as temporary:
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False)
        figure.savefig(temporary, dpi=110, **_SAVING.get(path.suffix, {}))


def read_radiological(
    file: Path, pose: Pose, labels: Labels | None = None
) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Read an image with axes to the patient's head, back and left, or with its slices first.

    An axial slice with its first row on top is then in radiological convention: the patient's right is on the left.

    Args:
        file: the image.
        pose: that of the scan, :func:`mass_nnunet.data.pose.pose_to_compare`; it is the same for its label maps.
        labels: labels of its dataset, if it is a label map.

    Returns:
        The array (Z, Y, X), and the spacing in mm (z, y, x).

    Raises:
        UserError: the file is no sound volume, or a label has no name.
    """
    if labels is None:
        stored = read_volume(file)
    else:
        found = read_label_map(file, labels)
        stored = sitk.GetImageFromArray(found.values)
        stored.CopyInformation(found.image)
    image = sitk.DICOMOrient(stored, pose.shown(stored))
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]


def typical_slice(labels: np.ndarray) -> int:
    """The axial slice of a label map (Z, Y, X) that shows most of the organs.

    The score of a slice is the sum, over organs, of the organ's area in the slice divided by its largest area in any
    slice. Without organs it is the middle slice.
    """
    score = np.zeros(len(labels))
    for value in np.unique(labels[labels > 0]):
        area = np.count_nonzero(labels == value, axis=(1, 2))
        score += area / area.max()
    return int(score.argmax()) if score.any() else len(labels) // 2


def grey_window(image: np.ndarray, modality: str) -> tuple[float, float]:
    """Intensities to show as black and white: a fixed window for CT, else percentiles 1 and 99.5 of the image."""
    low, high = WINDOWS.get(modality) or np.percentile(image, (1, 99.5))
    return float(low), float(high)


def _bare(axes: "Axes") -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def show(axes: "Axes", image: np.ndarray, window: tuple[float, float], aspect: float) -> None:
    """Draw an axial slice (Y, X); ``aspect`` is the height of a voxel over its width."""
    axes.imshow(image, cmap="gray", vmin=window[0], vmax=window[1], aspect=aspect, interpolation="bilinear")
    _bare(axes)


def organ_colours(labels: Mapping[str, int]) -> dict[str, str]:
    """A colour for each organ of a dataset; with more organs than colours, colours repeat."""
    return dict(zip((name for name in labels if name not in (BACKGROUND, IGNORE)), cycle(COLOURS), strict=False))


def paint(axes: "Axes", labels: np.ndarray, aspect: float, values: Mapping[str, int]) -> None:
    """Fill the organs of a label slice (Y, X) and draw their contours; ``values`` are the labels by name."""
    from matplotlib.colors import to_rgba

    overlay = np.zeros((*labels.shape, 4))
    for organ, colour in organ_colours(values).items():
        overlay[labels == values[organ]] = to_rgba(colour, 0.35)
    draw_contours(axes, labels, values, 1.3)
    axes.imshow(overlay, aspect=aspect, interpolation="nearest")


def draw_contours(axes: "Axes", labels: np.ndarray, values: Mapping[str, int], width: float = 0.8) -> None:
    """Draw the contours of the organs of a label slice (Y, X); ``values`` are the labels by name."""
    for organ, colour in organ_colours(values).items():
        _draw_contour(axes, labels == values[organ], colour, width)


def _draw_contour(axes: "Axes", mask: np.ndarray, colour: str, width: float, effects: Sequence = ()) -> None:
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[0.5], colors=[colour], linewidths=width).set_path_effects(list(effects))


def legend(figure: "Figure", labels: Mapping[str, int], *, truth: bool = False) -> None:
    """Add a legend of the organs' colours below the figure, with ``truth`` also of the line of :func:`draw_truth`."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Patch(color=colour, label=organ.replace("_", " ")) for organ, colour in organ_colours(labels).items()
    ]
    if truth:
        handles.append(Line2D([], [], color="white", label="contour of the truth", path_effects=_halo()))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), frameon=False)


def _halo() -> list:
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2.4, foreground="black"), Normal()]


def draw_truth(axes: "Axes", labels: np.ndarray, values: Mapping[str, int]) -> None:
    """Draw the contours of the organs of a label slice (Y, X) in white."""
    for organ in organ_colours(values):
        _draw_contour(axes, labels == values[organ], "white", 1.0, _halo())
