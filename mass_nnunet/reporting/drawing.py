"""What all pictures are drawn with: a figure that becomes a file, an axial slice, organs over it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.files import atomic_path
from mass_nnunet.labels import BACKGROUND, LABELS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable for the colour-blind, after Okabe and Ito, and none of them a gray.
COLOURS = ("#56B4E9", "#E69F00", "#F0E442", "#D55E7A", "#009E73", "#CC79A7", "#0072B2")
WINDOWS = {"CT": (-160.0, 240.0)}
"""HU of the usual soft tissue window; scans of other modalities are shown between two percentiles."""
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
    """A grid of axes (rows, columns) that is written to ``path`` when the block ends well; ``size`` in inches.

    The path ends in ``.png``, ``.jpg`` or ``.svg``.
    """
    # Not pyplot, whose global state and backend belong to whoever calls, such as nnU-Net's trainer.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.style import context

    # From the defaults: nnU-Net's logger changes the global style.
    with context(["default", _STYLE]), atomic_path(path) as temporary:
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False)
        figure.savefig(temporary, dpi=110, **_SAVING.get(path.suffix, {}))


def read_radiological(file: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The image as an array (Z, Y, X) by its header: feet to head, front to back, the patient's right to left.

    Each axial slice, drawn with its first row on top, is then in radiological convention: the patient's right is on
    the left of the picture. Also the spacing in mm, in (z, y, x) order.
    """
    image = sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS")
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]


def typical_slice(labels: np.ndarray) -> int:
    """The axial slice of a label map (Z, Y, X) that shows most organs at nearly their largest.

    An organ counts by its area there as a share of its largest area; without organs, the middle slice.
    """
    score = np.zeros(len(labels))
    for value in np.unique(labels[labels > 0]):
        area = np.count_nonzero(labels == value, axis=(1, 2))
        score += area / area.max()
    return int(score.argmax()) if score.any() else len(labels) // 2


def grey_window(image: np.ndarray, modality: str) -> tuple[float, float]:
    """Black and white point for an image: a fixed window for CT, percentiles 1 and 99.5 for what has no unit."""
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
    """A colour for each organ of a dataset; with more than there are colours, these come again."""
    return dict(zip((name for name in labels if name != BACKGROUND), cycle(COLOURS), strict=False))


def paint(axes: "Axes", labels: np.ndarray, aspect: float, values: Mapping[str, int] = LABELS) -> None:
    """Fill and outline the organs of a label slice (Y, X), whose ``values`` are given by name."""
    from matplotlib.colors import to_rgba

    overlay = np.zeros((*labels.shape, 4))
    for organ, colour in organ_colours(values).items():
        overlay[labels == values[organ]] = to_rgba(colour, 0.35)
    outline(axes, labels, values, 1.3)
    axes.imshow(overlay, aspect=aspect, interpolation="nearest")


def outline(axes: "Axes", labels: np.ndarray, values: Mapping[str, int], width: float = 0.8) -> None:
    """Outline the organs of a label slice (Y, X), whose ``values`` are given by name."""
    for organ, colour in organ_colours(values).items():
        _outline(axes, labels == values[organ], colour, width)


def _outline(axes: "Axes", mask: np.ndarray, colour: str, width: float, effects: Sequence = ()) -> None:
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[0.5], colors=[colour], linewidths=width).set_path_effects(list(effects))


def legend(figure: "Figure", labels: Mapping[str, int] = LABELS, *, truth: bool = False) -> None:
    """Below the figure: the organs' colours, and with ``truth`` the line that :func:`outline_truth` draws."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Patch(color=colour, label=organ.replace("_", " ")) for organ, colour in organ_colours(labels).items()
    ]
    if truth:
        handles.append(Line2D([], [], color="white", label="outline of the truth", path_effects=_halo()))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), frameon=False)


def _halo() -> list:
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2.4, foreground="black"), Normal()]


def outline_truth(axes: "Axes", labels: np.ndarray, values: Mapping[str, int] = LABELS) -> None:
    """Outline the organs of a label slice (Y, X) in white."""
    for organ in organ_colours(values):
        _outline(axes, labels == values[organ], "white", 1.0, _halo())
