"""The figures of the report, SVG files of the width of the page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mass_nnunet.evaluation.metrics import DICE
from mass_nnunet.evaluation.statistics import Ranking, patient_values
from mass_nnunet.reporting.drawing import figure_file

from .comparison import p_text
from .cost import Course
from .palette import Style
from .results import ALL_ORGANS, Results
from .tables import organ_title, setting_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 10.7
"""Width of the page's text in inches, so that text in a figure has its nominal size."""
_GRID: dict[str, Any] = {"color": "#e4e7eb", "linewidth": 0.6}
_BETTER, _WORSE, _SAME = "#0072B2", "#D55E00", "#9aa1ab"
_LETTER = 0.075
"""Width of a letter in a legend, in inches."""
_MANY_METHODS = 14
"""With more methods than this a ranking takes the width of the page, so that its numbers do not overlap."""
_MANY = 150
"""With more patients than this, marks of single patients are rasterized to keep the page small."""


@contextmanager
def _panels(path: Path, count: int, columns: int, height: float) -> Iterator[tuple["Figure", list["Axes"]]]:
    """A figure of ``count`` axes in ``columns`` columns, each axes ``height`` inches high."""
    columns = min(columns, count)
    rows = -(-count // columns)
    with figure_file(path, rows, columns, (WIDTH, rows * height)) as (figure, grid):
        for axes in grid.flat[count:]:
            axes.set_visible(False)
        yield figure, list(grid.flat[:count])


def draw_rates(results: Results, numbers: pd.DataFrame, looks: Mapping[str, Style], path: Path) -> None:
    """Draw Dice over all organs against the label rate, one panel per modality; with one rate, one row per method."""
    modalities = list(dict.fromkeys(modality for modality, _ in results.settings))
    rates = sorted({rate for _, rate in results.settings})
    whole = numbers[numbers["organ"] == ALL_ORGANS]
    methods = results.methods
    single = len(rates) == 1
    columns = _legend_columns(methods)
    height = 0.9 + 0.27 * len(methods) if single else 3.3 + 0.22 * -(-len(methods) // columns)
    with _panels(path, len(modalities), 3, height) as (figure, panels):
        for place, (axes, modality) in enumerate(zip(panels, modalities, strict=True)):
            axes.grid(**_GRID, axis="x" if single else "y")
            axes.set_axisbelow(True)
            for number, method in enumerate(methods):
                rows = whole[(whole["modality"] == modality) & (whole["method"] == method)].sort_values("label_rate")
                means, bars = _means_and_bars(rows)
                look = looks[method].line | {"markersize": 5, "elinewidth": 1.1, "linewidth": 1.4, "label": method}
                if single:
                    axes.errorbar(means, np.full(len(means), number), xerr=bars, **look | {"linestyle": "none"})
                else:
                    shift = (number - (len(methods) - 1) / 2) * min(0.07, 0.3 / len(methods))
                    axes.errorbar([rates.index(rate) + shift for rate in rows["label_rate"]], means, yerr=bars, **look)
            axes.set_title(modality, loc="left")
            if single:
                _name_methods(axes, methods if place == 0 else [""] * len(methods))
                axes.set_xlabel(f"{DICE.title}, {100 * rates[0]:g} % of the labels")
            else:
                axes.set_xticks(range(len(rates)), [f"{100 * rate:g} %" for rate in rates])
                axes.set_xlim(-0.5, len(rates) - 0.5)
                axes.set(xlabel="labelled share of the training patients", ylabel=DICE.title if place == 0 else "")
        if not single:
            handles, names = panels[0].get_legend_handles_labels()
            lines = [handle.get_children()[0] for handle in handles]  # without the intervals
            figure.legend(lines, names, loc="outside lower center", ncols=columns, frameon=False)


def _means_and_bars(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Means (N,), and lengths (2, N) of the error bars below and above them; 0 where there is no interval."""
    spread = np.nan_to_num(rows[["mean", "low", "high"]].to_numpy().T, nan=0)
    means, low, high = spread if len(rows) else np.zeros((3, 0))
    return means, np.where(rows[["low", "high"]].notna().all(axis=1), [means - low, high - means], 0.0)


def draw_courses(known: Sequence[Course], looks: Mapping[str, Style], path: Path) -> None:
    """Draw validation Dice against training time and against steps, one row per label rate and device.

    Args:
        known: courses of cost.py.
        looks: style of each of their methods.
        path: file of the figure.
    """
    rows = list(dict.fromkeys((course.label_rate, course.device) for course in known))
    devices = len({device for _, device in rows})
    names = list(dict.fromkeys(course.method for course in known))
    columns = _legend_columns(names)
    with _panels(path, 2 * len(rows), 2, 3.0 + 0.22 * -(-len(names) // columns) / len(rows)) as (figure, panels):
        for number, axes in enumerate(panels):
            rate, device = rows[number // 2]
            is_time = number % 2 == 0
            for course in (one for one in known if (one.label_rate, one.device) == (rate, device)):
                steps, seconds, dice = course.mean.T
                line = looks[course.method].line | {"linewidth": 1.3, "markersize": 6}
                x = seconds / 60 if is_time else steps
                axes.plot(x, dice, **line | {"marker": ""})
                axes.plot(x[-1:], [course.test], **line | {"label": course.method})
            axes.set_title(f"{100 * rate:g} % of the labels" + (f", {device}" if devices > 1 else ""), loc="left")
            axes.set_xlabel("training time (min)" if is_time else "steps of a training")
            axes.set_ylabel(DICE.title if is_time else "")
            axes.set_xlim(left=0)
            axes.grid(**_GRID)
            axes.set_axisbelow(True)
        by_name = {name: line for axes in panels for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(by_name.values(), by_name, loc="outside lower center", ncols=columns, frameon=False)


def _legend_columns(names: Sequence[str]) -> int:
    return max(1, min(4, len(names), int(WIDTH / (0.6 + _LETTER * max(map(len, names))))))


def _name_methods(axes: "Axes", names: Sequence[str]) -> None:
    """Write the names of the methods from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def draw_boxes(results: Results, setting: tuple[str, float], looks: Mapping[str, Style], path: Path) -> None:
    """Draw box plots of the patients' Dice (means over seeds and scans), one panel per organ, one box per method."""
    scores = results.of(*setting)
    methods = [method for method in results.methods if (scores["method"] == method).any()]
    organs = [organ for organ in results.organs if scores.loc[scores["organ"] == organ, DICE.column].notna().any()]
    with _panels(path, len(organs), 4, 0.85 + 0.26 * len(methods)) as (_, panels):
        lowest = scores[DICE.column].min()
        for place, (axes, organ) in enumerate(zip(panels, organs, strict=True)):
            rows = scores[scores["organ"] == organ]
            for number, method in enumerate(methods):
                values = patient_values(rows[rows["method"] == method], DICE.column, [method])[method].to_numpy()
                if len(values):
                    _box(axes, values, number, looks[method])
            axes.set_title(organ_title(organ), loc="left")
            axes.set_xlim(max(-0.02, lowest - 0.02), 1.005)
            axes.grid(**_GRID, axis="x")
            axes.set_axisbelow(True)
            _name_methods(axes, methods if place % 4 == 0 else [""] * len(methods))
            axes.set_xlabel(DICE.title)


def _box(axes: "Axes", values: np.ndarray, place: int, look: Style) -> None:
    """Quartiles, whiskers of at most 1.5 times the interquartile range (Tukey), and single points beyond."""
    line = {"color": look.colour, "linewidth": 1.1}
    fliers = {"marker": ".", "markersize": 3.5, "markeredgecolor": look.colour, "rasterized": len(values) > _MANY}
    axes.boxplot(
        values,
        positions=[place],
        orientation="horizontal",
        widths=0.62,
        patch_artist=True,
        manage_ticks=False,
        boxprops=line | {"facecolor": "white" if look.is_hollow else look.colour + "40"},
        whiskerprops=line,
        capprops=line,
        medianprops=line | {"linewidth": 2},
        flierprops=fliers,
    )


def draw_slopes(results: Results, setting: tuple[str, float], numbers: pd.DataFrame, path: Path) -> bool:
    """Draw Dice of each patient with the reference (left) and with another method (right), one panel per method.

    Args:
        results: results of the grid.
        setting: modality and label rate.
        numbers: numbers of comparison.py, which name the reference.
        path: file of the figure.

    Returns:
        False if no method has a reference; then no figure is written.
    """
    pairs = numbers[(numbers["organ"] == ALL_ORGANS) & numbers["other"].notna()]
    pairs = pairs[(pairs["modality"] == setting[0]) & (pairs["label_rate"] == setting[1])]
    pairs = pairs.set_index("method").reindex([method for method in results.methods if method in set(pairs["method"])])
    if pairs.empty:
        return False
    with _panels(path, len(pairs), 5, 2.7) as (_, panels):
        scores, lowest = results.of(*setting), 1.0
        for axes, (method, row) in zip(panels, pairs.iterrows(), strict=True):
            values = patient_values(scores, DICE.column, (row["other"], method)).to_numpy()
            lowest = min(lowest, values.min(initial=1.0))
            _slopes(axes, values)
            p = p_text(row["p_holm"], row["tested"])
            p = p if p[0] not in "<0123456789" else f"p {p}" if p[0] == "<" else f"p = {p}"
            wins = np.count_nonzero(values[:, 1] > values[:, 0])
            name = str(method).replace(" (", "\n(")
            axes.set_title(
                f"{name}\n{DICE.text(row['difference'], '+')}, {p}\nhigher in {wins} of {len(values)}", fontsize=8
            )
            left, right = axes.set_xticks([0, 1], ["reference", "method"])
            left.label1.set_horizontalalignment("left")
            right.label1.set_horizontalalignment("right")
            axes.set_xlim(-0.12, 1.12)
            axes.grid(**_GRID, axis="y")
            axes.set_axisbelow(True)
        for place, axes in enumerate(panels):
            axes.set_ylim(lowest - 0.02, 1.005)
            if place % 5 == 0:
                axes.set_ylabel(DICE.title)
            else:
                axes.tick_params(axis="y", labelleft=False)
    return True


def _slopes(axes: "Axes", values: np.ndarray) -> None:
    """Draw one line per patient, and the mean; ``values`` (patients, 2)."""
    from matplotlib.collections import LineCollection

    change = np.sign(values[:, 1] - values[:, 0])
    colours = np.select([change > 0, change < 0], [_BETTER, _WORSE], _SAME)
    lines = np.stack([np.broadcast_to([0.0, 1.0], values.shape), values], axis=-1)  # (patients, 2, 2)
    alpha = max(0.15, min(0.8, 20 / max(1, len(values))))
    many = len(values) > _MANY
    axes.add_collection(LineCollection(list(lines), colors=list(colours), linewidths=0.9, alpha=alpha, rasterized=many))
    if len(values):
        axes.plot([0, 1], values.mean(axis=0), color="#23272e", linewidth=2.2, marker="o", markersize=4)


def draw_rankings(rankings: Mapping[tuple[str, float], Ranking], path: Path) -> None:
    """Draw the share of resamples in which each method has each rank, one panel per setting, best methods on top."""
    count = max(len(ranking.table) for ranking in rankings.values())
    columns = 2 if count <= _MANY_METHODS else 1
    with _panels(path, len(rankings), columns, 1.0 + 0.27 * count) as (_, panels):
        for axes, (setting, ranking) in zip(panels, rankings.items(), strict=True):
            methods = [str(method) for method in ranking.table.index]
            ranks = range(1, len(methods) + 1)
            shares = ranking.table.reindex(columns=ranks).fillna(0.0).to_numpy()
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
            for row, column in np.argwhere(shares >= 0.005):
                share = shares[row, column]
                colour = "white" if share > 0.6 else "#23272e"
                axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
            axes.set_xticks([rank - 1 for rank in ranks], [str(rank) for rank in ranks])
            _name_methods(axes, methods)
            axes.set_ylim(len(methods) - 0.5, -0.5)
            axes.set_xlabel("rank, % of the resamples")
            axes.set_title(setting_title(*setting), loc="left")
