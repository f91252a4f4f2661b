"""The common data of a report's sections: the results, the styles of the methods, and the folder of the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.reporting import html as report

from .formats import Table, to_html, write_table
from .palette import Style
from .results import Results


@dataclass(frozen=True)
class Page:
    """The common data of all sections of one report."""

    results: Results
    reference: str | None
    numbers: pd.DataFrame
    """Dice by method, setting and organ, from comparison.py."""
    looks: dict[str, Style]
    path: Path
    jobs: Sequence[Job]
    """Jobs of all cells; empty if raw data, plans or splits are missing, or differ from those of the cells."""
    no_jobs: str
    """The reason why ``jobs`` is empty; "" if it is not."""
    pictures: bool = True
    """Whether scans may be shown."""

    @property
    def files(self) -> Path:
        """Folder of the tables and figures."""
        return self.path.with_name(f"{self.path.stem}_files")

    def table(self, table: Table, name: str) -> Markup:
        """Write the files of a table; returns its HTML with links to them."""
        written = write_table(table, self.files / name)
        links = zip((file.name for file in written), ("CSV", "Markdown", "LaTeX"), strict=True)
        keys = {method: look.key for method, look in self.looks.items()}
        return to_html(table, keys) + report.links("The same table", self.files.name, list(links))

    def figure(self, name: str) -> Path:
        """Path of a figure."""
        return self.files / name
