"""A table of the report in its four formats: HTML for the page, and CSV, Markdown and LaTeX beside it.

CSV is written by pandas, the others by the templates ``table.*`` of mass_nnunet.reporting. pandas' own ``to_latex`` and
``to_markdown`` have no groups of rows with a title, no notes and no marks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mass_nnunet.data.files import atomic_path
from mass_nnunet.reporting.html import render

MARK = "*"


@dataclass(frozen=True)
class Entry:
    """The content of a table cell: a text, and a note in smaller print after or below it."""

    text: str
    note: str = ""
    is_best: bool = False
    is_marked: bool = False
    """Whether the text is printed with ``MARK``, for a significant difference."""


@dataclass(frozen=True)
class Table:
    """A table with rows in groups; each group has a title, "" for none."""

    header: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Sequence[Entry]]]]
    caption: str = ""
    """Text above the table in Markdown, and a comment in LaTeX."""
    text_columns: int = 1
    """Number of leading columns with text; the other columns hold numbers. In HTML method names have a colour key."""


def to_html(table: Table, keys: Mapping[str, Markup]) -> Markup:
    """The table as HTML; ``keys`` are the colour keys of the methods."""
    return Markup(render("table.html", table=table, keys=keys, mark=MARK))


def to_csv(table: Table) -> str:
    """The table as comma-separated values: group titles are the first column, notes are in separate columns."""
    titles = [title for title, rows in table.groups for _ in rows]
    columns = [("group", titles)] if any(title for title, _ in table.groups) else []
    for place, name in enumerate(table.header):
        entries = [row[place] for _, rows in table.groups for row in rows]
        columns.append((name, [entry.text + (MARK if entry.is_marked else "") for entry in entries]))
        if any(entry.note for entry in entries):
            columns.append((f"{name} note", [entry.note for entry in entries]))
    frame = pd.DataFrame(dict(enumerate(texts for _, texts in columns)))
    return frame.to_csv(index=False, header=[name for name, _ in columns], lineterminator="\n")


def to_markdown(table: Table) -> str:
    """The table in GitHub's Markdown; best values are bold."""
    return render("table.md", table=table, mark=MARK, markdown=lambda text: text.replace("|", "\\|"))


def to_latex(table: Table) -> str:
    """The table as a LaTeX ``tabular`` with the package booktabs; best values are bold."""
    return render("table.tex", table=table, mark=MARK, latex=_escape_latex)


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "–": "--",
    "±": "$\\pm$",
    "·": "$\\cdot$",
    "<": "$<$",
    ">": "$>$",
    "−": "$-$",
}


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


FORMATS = {".csv": to_csv, ".md": to_markdown, ".tex": to_latex}


def write_table(table: Table, stem: Path) -> list[Path]:
    """Write ``stem.csv``, ``stem.md`` and ``stem.tex``; returns their paths."""
    files = []
    for ending, convert in FORMATS.items():
        file = stem.with_name(stem.name + ending)
        with atomic_path(file) as temporary:
            temporary.write_text(convert(table), encoding="utf-8")
        files.append(file)
    return files
