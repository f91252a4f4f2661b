"""One table in four formats: the same words everywhere, and what each format needs escaped."""

import csv
import io
import re

from markupsafe import Markup

from mass_nnunet.benchmark.report.formats import Entry, Table, to_csv, to_html, to_latex, to_markdown, write_table

ROW = [Entry("A_1|x"), Entry("0.912", "[0.9, 1.0]", True, True), Entry("< 0.001")]
TABLE = Table(
    ["method", "right kidney", "p"], [("CT, 10 % & more", [ROW, [Entry("B"), Entry("0.8"), Entry("–")]])], "cap"
)


def test_html_marks_the_best_and_escapes():
    html = to_html(TABLE, {"B": Markup("<i></i>")})
    assert '<td class="best">0.912<sup>*</sup><br><small>[0.9, 1.0]</small></td>' in html
    assert '<td class="text"><i></i>B</td>' in html and "&lt; 0.001" in html
    assert '<td class="text" colspan="3">CT, 10 % &amp; more</td>' in html


def test_csv_reads_back():
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows[0] == ["group", "method", "right kidney", "right kidney note", "p"]
    assert rows[1] == ["CT, 10 % & more", "A_1|x", "0.912*", "[0.9, 1.0]", "< 0.001"]
    assert rows[2] == ["CT, 10 % & more", "B", "0.8", "", "–"]


def test_markdown_has_as_many_bars_in_each_row():
    lines = [line for line in to_markdown(TABLE).splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [4] * 4
    assert lines[2] == "| A_1\\|x | **0.912**\\* [0.9, 1.0] | < 0.001 |"


def test_latex_is_escaped_and_has_as_many_columns_in_each_row():
    text = to_latex(TABLE)
    assert "A\\_1|x & \\textbf{0.912}$^*$ {\\scriptsize [0.9, 1.0]} & $<$ 0.001 \\\\" in text
    assert "\\multicolumn{3}{l}{\\textit{CT, 10 \\% \\& more}}" in text and "\\begin{tabular}{lrr}" in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2] * 3


def test_files(tmp_path):
    files = write_table(TABLE, tmp_path / "new" / "t.x")
    assert [file.name for file in files] == ["t.x.csv", "t.x.md", "t.x.tex"]
    assert files[0].read_text(encoding="utf-8") == to_csv(TABLE)
