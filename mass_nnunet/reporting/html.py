"""One HTML file that holds all it shows: tables, pictures, commands. It loads nothing from anywhere."""

import base64
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from mass_nnunet.data.files import atomic_path
from mass_nnunet.evaluation.scores import summarize

_STYLE = """
:root { --ink: #23272e; --soft: #667080; --line: #dfe3e8; --paper: #fff; --wash: #f5f7f9; --accent: #1f6f8b; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink);
       font: 15px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 44px 64px; background: var(--paper); }
h1 { font-size: 27px; line-height: 1.25; margin: 0 0 6px; }
h2 { font-size: 19px; margin: 42px 0 10px; padding-top: 14px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 26px 0 4px; }
p { margin: 8px 0; max-width: 82ch; }
.lead { color: var(--soft); font-size: 16px; }
.note, figcaption { color: var(--soft); font-size: 13.5px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 16px 6px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: 13.5px; }
th.text, td.text { text-align: left; }
td.text:last-child { white-space: normal; }
td small { color: var(--soft); font-weight: 400; }
sup { line-height: 0; }
td.best { font-weight: 700; color: var(--accent); }
tr.group td { border-top: 2px solid var(--line); }
tr.title td { padding-top: 16px; font-weight: 600; white-space: normal; }
details { margin: 12px 0; }
summary { cursor: pointer; color: var(--accent); font-weight: 600; }
nav { margin: 14px 0 0; font-size: 14px; line-height: 1.9; }
nav a { margin-right: 16px; white-space: nowrap; }
a { color: var(--accent); }
i.key { display: inline-block; width: 11px; height: 11px; border: 2px solid; border-radius: 3px; margin-right: 8px; }
ul { padding-left: 22px; } li { max-width: 82ch; }
.warning { border-left: 4px solid #c4501b; background: #fdf3ee; padding: 10px 14px; max-width: none; }
.cases { font-size: 12.5px; color: var(--soft); overflow-wrap: anywhere; max-width: none; }
figure { margin: 14px 0; }
img { max-width: 100%; height: auto; display: block; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px;
      overflow-x: auto; font: 12.5px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; }
@media print { main { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
@media (max-width: 700px) { main { padding: 24px 18px; } figure { overflow-x: auto; } figure img { min-width: 640px; } }
"""
_IMAGE_KINDS = {".png": "png", ".jpg": "jpeg", ".svg": "svg+xml"}
_PACKAGES = ("mass-nnunet", "nnunetv2", "torch", "numpy", "SimpleITK")


@dataclass(frozen=True)
class Metric:
    """How a column of the scores is shown: its name, digits, and whether the smallest or the largest is best."""

    column: str
    digits: int
    best: Callable[[Sequence[float]], float]


DICE = Metric("dice", 3, max)
HD95 = Metric("hd95", 1, min)


def page(title: str, lead: str, sections: Sequence[str]) -> str:
    """The HTML document; ``title`` and ``lead`` are text, ``sections`` are HTML."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f'<body>\n<main>\n<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n'
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def write_page(path: Path, html: str) -> None:
    """Write the document, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def section(title: str, *parts: str) -> str:
    """A heading and the HTML below it."""
    return "\n".join([f"<h2>{escape(title)}</h2>", *parts])


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of text; ``kind`` is a class of the style, such as ``note``."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def code(lines: Sequence[str]) -> str:
    """Commands, one a line."""
    return f"<pre>{escape(chr(10).join(lines))}</pre>"


def picture(path: Path, caption: str) -> str:
    """A PNG, JPEG or SVG file inside of the page."""
    kind = _IMAGE_KINDS[Path(path).suffix]
    content = base64.b64encode(Path(path).read_bytes()).decode()
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/{kind};base64,{content}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]], text_columns: int = 1) -> str:
    """A table of text; the first ``text_columns`` are aligned to the left, the others hold numbers."""
    cells = [[cell("td", escape(str(value)), i < text_columns) for i, value in enumerate(row)] for row in rows]
    return rows_table(header, [f"<tr>{''.join(row)}</tr>" for row in cells], text_columns)


def cell(tag: str, html: str, text: bool = False, kind: str = "") -> str:
    """A ``td`` or ``th`` around HTML, with ``text`` aligned to the left; ``kind`` is a class of the style."""
    kinds = " ".join(name for name in ("text" if text else "", kind) if name)
    return f'<{tag} class="{kinds}">{html}</{tag}>' if kinds else f"<{tag}>{html}</{tag}>"


def rows_table(header: Sequence[str], rows: Sequence[str], text_columns: int) -> str:
    """A table of rows that are HTML; those of the ``header`` are text."""
    head = "".join(cell("th", escape(name), i < text_columns) for i, name in enumerate(header))
    return f'<div class="scroll"><table>\n<tr>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>"


def score_table(scores: pd.DataFrame, metric: Metric) -> str:
    """Mean and standard deviation over the cases, by modality, method and organ; the best method in bold.

    The last column is the mean over the organs. A method that missed an organ can never be best at a distance
    there: its distance is infinite, and the cell says how many it missed.

    Args:
        scores: rows with modality, method, case, organ and the metric.
        metric: what is shown.
    """
    organs = list(dict.fromkeys(scores["organ"]))
    rows = []
    for modality in dict.fromkeys(scores["modality"]):
        groups = scores[scores["modality"] == modality].groupby("method", sort=False)
        by_method = {m: summarize(rows_of, ["organ"], metric.column).reindex(organs) for m, rows_of in groups}
        methods = list(by_method)
        columns = {organ: {m: _score(by_method[m].loc[organ], metric.digits) for m in methods} for organ in organs} | {
            "mean": {m: _score(_over_organs(by_method[m]), metric.digits) for m in methods}
        }
        for number, method in enumerate(methods):
            cells = [cell("td", escape(modality) if number == 0 else "", True), cell("td", escape(method), True)]
            for column in columns.values():
                html, value = column[method]
                values = [v for _, v in column.values()]
                found = [v for v in values if np.isfinite(v)]
                # Where all are alike, none is best.
                is_best = any(v != value for v in values) and value in found and value == metric.best(found)
                cells.append(cell("td", html, kind="best" if is_best else ""))
            group = ' class="group"' if number == 0 and rows else ""
            rows.append(f"<tr{group}>{''.join(cells)}</tr>")
    header = ["modality", "method", *(organ.replace("_", " ") for organ in organs), "mean"]
    return rows_table(header, rows, text_columns=2)


def _over_organs(summary: pd.DataFrame) -> pd.Series:
    return pd.Series({"mean": summary["mean"].mean(), "sd": np.nan, "missed": summary["missed"].sum()})


def _score(row: pd.Series, digits: int) -> tuple[str, float]:
    """What a cell shows, and the rounded value that it is compared by, NaN when something was missed."""
    if not np.isfinite(row["mean"]):
        return ("&ndash;" if not row["missed"] > 0 else f"<small>{row['missed']:.0f} missed</small>"), np.nan
    html = f"{row['mean']:.{digits}f}"
    if np.isfinite(row["sd"]):
        html += f" <small>± {row['sd']:.{digits}f}</small>"
    if row["missed"] > 0:
        return f"{html} <small>({row['missed']:.0f} missed)</small>", np.nan
    return html, round(float(row["mean"]), digits)


def environment() -> list[tuple[str, str]]:
    """Versions of Python and of the packages that matter, and the machine's processors."""
    packages = [(name, metadata.version(name)) for name in _PACKAGES]
    return [("Python", platform.python_version()), *packages, ("CPU cores", str(os.cpu_count()))]
