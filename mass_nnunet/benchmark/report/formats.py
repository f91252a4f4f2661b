"""A table of the report in its four formats: HTML for the page, and CSV, Markdown and LaTeX beside it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from mass_nnunet.data.files import atomic_path
from mass_nnunet.reporting.html import cell, rows_table

MARK = "*"


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a table: text, and a smaller note behind or below it."""

    text: str
    note: str = ""
    is_best: bool = False
    is_marked: bool = False
    """With ``MARK``, for a difference that is significant."""


@dataclass(frozen=True)
class Table:
    """Rows in groups, each group with a title over it ("" for none).

    The first column is text, and in HTML has a key in its method's colour before it; the others are numbers.
    """

    header: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Sequence[Entry]]]]
    caption: str = ""
    """For LaTeX, and a line over the Markdown."""
    text_columns: int = field(default=1)


def to_html(table: Table, keys: Mapping[str, str]) -> str:
    """HTML; ``keys`` is that of the key before each method."""
    rows = []
    for title, entries in table.groups:
        if title:
            rows.append(f'<tr class="title"><td class="text" colspan="{len(table.header)}">{escape(title)}</td></tr>')
        for row in entries:
            cells = []
            for place, entry in enumerate(row):
                is_text = place < table.text_columns
                html = (keys.get(entry.text, "") if is_text else "") + escape(entry.text)
                html += f"<sup>{MARK}</sup>" if entry.is_marked else ""
                if entry.note:
                    html += f"{' ' if is_text else '<br>'}<small>{escape(entry.note)}</small>"
                cells.append(cell("td", html, is_text, "best" if entry.is_best else ""))
            rows.append(f"<tr>{''.join(cells)}</tr>")
    return rows_table(table.header, rows, table.text_columns)


def to_csv(table: Table) -> str:
    """Comma-separated; the group's title is the first column, where there are any, and the note has its own."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    titled = any(title for title, _ in table.groups)
    noted = [any(row[place].note for _, rows in table.groups for row in rows) for place in range(len(table.header))]
    header = []
    for name, has_note in zip(table.header, noted, strict=True):
        header += [name, f"{name} note"] if has_note else [name]
    writer.writerow((["group"] if titled else []) + header)
    for title, rows in table.groups:
        for row in rows:
            words = [title] if titled else []
            for entry, has_note in zip(row, noted, strict=True):
                text = entry.text + (MARK if entry.is_marked else "")
                words += [text, entry.note] if has_note else [text]
            writer.writerow(words)
    return output.getvalue()


def to_markdown(table: Table) -> str:
    """A table as GitHub has it; the best in bold."""
    lines = [table.caption, ""] if table.caption else []
    for title, rows in table.groups:
        lines += [f"**{title}**", ""] if title else []
        lines.append("| " + " | ".join(_no_bars(name) for name in table.header) + " |")
        sides = ["---" if place < table.text_columns else "---:" for place in range(len(table.header))]
        lines.append("|" + "|".join(sides) + "|")
        for row in rows:
            lines.append("| " + " | ".join(_markdown(entry) for entry in row) + " |")
        lines.append("")
    return "\n".join(lines)


def _no_bars(text: str) -> str:
    return text.replace("|", "\\|")


def _markdown(entry: Entry) -> str:
    text = f"**{entry.text}**" if entry.is_best else entry.text
    return _no_bars(text + ("\\" + MARK if entry.is_marked else "") + (f" {entry.note}" if entry.note else ""))


def to_latex(table: Table) -> str:
    """A ``tabular`` for the package booktabs; the best in bold."""
    count = len(table.header)
    lines = [f"% {line}" for line in (table.caption, "needs \\usepackage{booktabs}") if line]
    lines.append("\\begin{tabular}{" + "l" * table.text_columns + "r" * (count - table.text_columns) + "}")
    lines += ["\\toprule", " & ".join(_escape(name) for name in table.header) + " \\\\"]
    for title, rows in table.groups:
        lines.append("\\midrule")
        if title:
            lines.append(f"\\multicolumn{{{count}}}{{l}}{{\\textit{{{_escape(title)}}}}} \\\\")
        lines += [" & ".join(_latex(entry) for entry in row) + " \\\\" for row in rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


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


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex(entry: Entry) -> str:
    text = f"\\textbf{{{_escape(entry.text)}}}" if entry.is_best else _escape(entry.text)
    text += f"$^{MARK}$" if entry.is_marked else ""
    return text + (f" {{\\scriptsize {_escape(entry.note)}}}" if entry.note else "")


FORMATS = {".csv": to_csv, ".md": to_markdown, ".tex": to_latex}


def write_table(table: Table, stem: Path) -> list[Path]:
    """Write ``stem.csv``, ``stem.md`` and ``stem.tex``; returns them."""
    files = []
    for ending, convert in FORMATS.items():
        file = stem.with_name(stem.name + ending)
        with atomic_path(file) as temporary:
            temporary.write_text(convert(table), encoding="utf-8")
        files.append(file)
    return files
