"""What all sections of a report need: the results, how methods look, and where the files beside the page go."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from mass_nnunet.benchmark.run.job import Job

from .formats import Table, to_html, write_table
from .palette import Style
from .results import Results


@dataclass(frozen=True)
class Page:
    """What all sections need."""

    results: Results
    reference: str | None
    numbers: pd.DataFrame
    """Of Dice, from comparison.py."""
    looks: dict[str, Style]
    path: Path
    jobs: Sequence[Job]
    """Empty where raw data, plans or splits are not at hand, or no longer those of the cells."""
    no_jobs: str
    """Why."""

    @property
    def files(self) -> Path:
        """Folder of the tables and figures."""
        return self.path.with_name(f"{self.path.stem}_files")

    def table(self, table: Table, name: str) -> str:
        """Write a table's files; returns its HTML, with links to them."""
        written = write_table(table, self.files / name)
        links = " ".join(
            f'<a href="{self.files.name}/{file.name}">{text}</a>'
            for file, text in zip(written, ("CSV", "Markdown", "LaTeX"), strict=True)
        )
        keys = {method: look.key for method, look in self.looks.items()}
        return f'{to_html(table, keys)}\n<p class="note">The same table: {links}</p>'

    def figure(self, name: str) -> Path:
        """Path of a figure."""
        return self.files / name


def fold_out(title: str, html: str, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>\n{html}\n</details>"
