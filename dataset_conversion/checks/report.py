"""Output of the check: findings and a table to print, ``check.json`` and the picture ``overview.png``."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from mass_nnunet.data.files import write_json
from mass_nnunet.data.raw import Part
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND

from .findings import CheckedCase, Level
from .inspection import Preview
from .kinds import told_together
from .overview import plot_overview

JSON, PICTURE = "check.json", "overview{}.png"
_PICTURES = re.compile(r"overview(_\d+)?\.png")
CASES = 200
"""Cases in a picture: so many are drawn in some seconds, and no picture can have more than 65,000 pixels a side."""
_PARTS: dict[Part | None, str] = {**{part: part.word for part in Part}, None: "left out"}


def refuse_errors(checked: Sequence[CheckedCase]) -> None:
    """Stop if there are errors.

    Raises:
        UserError: a line for each case with an error.
    """
    if lines := error_lines(checked):
        raise UserError("\n".join(lines))


def error_lines(checked: Sequence[CheckedCase]) -> list[str]:
    """A line for each case with an error."""
    return [case.line(Level.ERROR) for case in checked if case.has(Level.ERROR)]


def write_check(
    folder: Path, checked: Sequence[CheckedCase], previews: Mapping[str, Preview], labels: Mapping[str, int]
) -> str:
    """Write ``check.json`` and ``overview.png`` into a dataset's folder; with many cases ``overview_2.png``, too.

    Earlier pictures of these names that show nothing any more are removed.

    Args:
        folder: folder of the dataset.
        checked: its cases.
        previews: preview of each case that could be read, by name.
        labels: labels of the dataset, name to value.

    Returns:
        Text to print: :func:`describe_check`.

    Raises:
        OSError: one of them cannot be written; it names the file.
    """
    write_json(folder / JSON, {case.name: _as_json(case) for case in checked})
    shown = [case for case in checked if case.part is not None and case.name in previews]
    pictures = []
    for start in range(0, len(shown), CASES):
        pictures.append(folder / PICTURE.format(f"_{start // CASES + 1}" if start else ""))
        plot_overview(shown[start : start + CASES], previews, labels, pictures[-1])
    for earlier in {*folder.glob(PICTURE.format("*"))}.difference(pictures):  # of a time with more cases
        if _PICTURES.fullmatch(earlier.name):
            earlier.unlink()
    return describe_check(checked, labels)


def describe_check(checked: Sequence[CheckedCase], labels: Mapping[str, int], *, together: bool = True) -> str:
    """A line for each case with warnings or notes, then the table; errors are left to :func:`refuse_errors`.

    Args:
        checked: cases of a dataset.
        labels: labels of the dataset, name to value.
        together: whether findings of one kind in many cases have one line together, where ``check.json`` names them.
    """
    lines = findings(checked, [name for name in labels if name != BACKGROUND] if together else None)
    return "\n".join([*lines, table(checked, labels)])


def findings(checked: Sequence[CheckedCase], structures: Collection[str] | None) -> list[str]:
    """Lines for the cases that have findings but no error, warnings first.

    There is one line for each kind of finding that many cases have, and one for each case with others.

    Args:
        checked: cases of a dataset.
        structures: names of its structures; None for one line for each case, whatever others have.
    """
    levels = (Level.WARNING, Level.NOTE)
    cases = [case for case in checked if not case.has(Level.ERROR)]
    together: dict[Level, list[str]] = {level: [] for level in levels}
    if structures is not None:
        for level in levels:
            together[level], cases = told_together(cases, level, structures, JSON)
    lines = []
    for level in levels:
        lines += together[level]
        lines += [f"{level.value}: {case.line(*levels)}" for case in cases if case.worst is level]
    return lines


def table(checked: Sequence[CheckedCase], labels: Mapping[str, int]) -> str:
    """One row for each part: scans, patients, findings, the median grid, and the median volume of each organ."""
    rows = {}
    for part, title in _PARTS.items():
        cases = [case for case in checked if case.part is part]
        if cases:
            rows[title] = _row(cases, labels)
    return pd.DataFrame.from_dict(rows, orient="index").to_string()


def _row(cases: Sequence[CheckedCase], labels: Mapping[str, int]) -> dict[str, object]:
    measures = [case.measures for case in cases if case.measures is not None]
    row: dict[str, object] = {
        "scans": len(cases),
        "patients": len({case.patient for case in cases}),
        "errors": sum(case.has(Level.ERROR) for case in cases),
        "warnings": sum(case.has(Level.WARNING) for case in cases),
        "voxels z y x": _median([m.size for m in measures], "d"),
        "mm": _median([m.spacing for m in measures], "g"),
    }
    for organ in labels:
        if organ != BACKGROUND:
            volumes = [m.organs[organ].volume_ml for m in measures if m.organs is not None and organ in m.organs]
            row[f"{organ} ml"] = f"{np.median(volumes):.0f}" if volumes else "-"
    return row


def _median(rows: Sequence[Sequence[float]], form: str) -> str:
    if not rows:
        return "-"
    middle = np.median(np.array(rows), axis=0)
    return " ".join(f"{round(value)}" if form == "d" else f"{value:.3g}" for value in middle)


def _as_json(case: CheckedCase) -> dict[str, object]:
    content = asdict(case)
    del content["name"]
    for rare in ("axes", "unannotated"):
        if case.measures is not None and getattr(case.measures, rare) is None:
            del content["measures"][rare]
    content["part"] = _PARTS[case.part]
    content["findings"] = [{"level": finding.level.value, "text": finding.text} for finding in case.findings]
    return content
