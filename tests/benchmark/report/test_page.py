"""The common data of a page's sections: a table is written as files, and shown with links to them and colours."""

import pandas as pd
import pytest

from mass_nnunet.benchmark.report.formats import Entry, Table, to_csv
from mass_nnunet.benchmark.report.page import Page
from mass_nnunet.benchmark.report.palette import styles
from mass_nnunet.benchmark.report.results import load_results
from scored_grid import write_scored


@pytest.fixture
def page(tmp_path):
    results = load_results(write_scored(tmp_path / "out", ("A",), (0.1,), 1, 2))
    return Page(results, None, pd.DataFrame(), styles(results.trainers), tmp_path / "some.page.html", (), "why")


def test_a_table_has_its_files_links_to_them_and_the_colours_of_the_methods(page, tmp_path):
    table = Table(["method", "x"], [("", [[Entry("A"), Entry("1")], [Entry("<B>"), Entry("2")]])])
    html = page.table(table, "t")
    folder = tmp_path / "some.page_files"
    assert page.files == folder and sorted(file.name for file in folder.iterdir()) == ["t.csv", "t.md", "t.tex"]
    assert (folder / "t.csv").read_text(encoding="utf-8") == to_csv(table)
    assert '<a href="some.page_files/t.md">Markdown</a>' in html
    assert f'<td class="text">{page.looks["A"].key}A</td>' in html and "#0072B2" in page.looks["A"].key
    assert '<td class="text">&lt;B&gt;</td>' in html


def test_a_figure_lies_beside_the_tables(page):
    assert page.figure("f.svg") == page.files / "f.svg"
