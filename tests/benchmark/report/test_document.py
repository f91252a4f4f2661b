"""The page of a grid: its numbers, bold values, missing cells, and no content from the network."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from balanced import Balanced
from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.results import ALL_ORGANS, load_results
from mass_nnunet.benchmark.run.grid import save_grid
from mass_nnunet.benchmark.run.state import write_record
from mass_nnunet.cli import main
from mass_nnunet.evaluation.metrics import list_metrics
from mass_nnunet.runtime.lock import Lock
from scored_grid import make_scores, write_cell, write_scored


def cells_of(html):
    """Text of all table cells, with single spaces."""
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<td[^>]*>(.*?)</td>", html)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A grid with a failed cell and one never begun, an organ that MRI lacks, one that C missed, and its report."""
    grid = write_scored(tmp_path_factory.mktemp("written") / "out", ("A", "B", "C"), (0.1, 0.5), 2, 12)
    for cell in grid.cells:
        scores = make_scores(grid, cell, 12, ("CT", "MRI"), ("liver", "spleen"))
        absent = (scores["modality"] == "MRI") & (scores["organ"] == "spleen")
        scores.loc[absent, ["dice", "hd", "hd95", "assd", "nsd_2mm", "volume_difference"]] = np.nan
        if cell.method == "C" and cell.seed == 0:
            scores.loc[0, ["dice", "hd", "hd95", "assd"]] = 0, np.inf, np.inf, np.inf
        write_cell(grid, cell, scores)
    folders = {cell.title: grid.output / "cells" / cell.name for cell in grid.cells}
    failed, waiting = folders["A, 10 % of the labels, seed 1"], folders["B, 50 % of the labels, seed 1"]
    write_record(failed, {"state": "failed", "failures": 2, "error": "out of <memory>", "log": None})
    (waiting / "cell.json").unlink()
    assert main(["benchmark", "report", str(grid.output)]) == 0
    return grid, (grid.output / "report.html").read_text(encoding="utf-8")


def test_page_is_balanced_and_loads_nothing(written):
    grid, html = written
    parser = Balanced()
    parser.feed(html)
    assert not parser.open
    assert not re.search(r"https?:|<script|<link|@import|url\(", html)
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', html))
    assert "<img" in html
    assert str(grid.output) not in html  # a page that is passed on tells nothing of the machine


def test_of_two_reports_at_once_the_second_says_so_and_changes_nothing(written, capsys):
    grid, html = written
    files = {file: file.stat().st_mtime_ns for file in (grid.output / "report_files").iterdir()}
    assert not any(file.name.startswith("lock-") for file in files)
    with Lock.take(grid.output / "report_files", tidy=True):
        assert main(["benchmark", "report", str(grid.output), "--no-pictures"]) == 2
    assert "report_files belongs to another `benchmark report`: start again" in capsys.readouterr().err
    assert (grid.output / "report.html").read_text(encoding="utf-8") == html
    assert {file: file.stat().st_mtime_ns for file in (grid.output / "report_files").iterdir()} == files


def test_links_are_files_beside_the_page_and_anchors_in_it(written):
    grid, html = written
    links = re.findall(r'href="([^"]*)"', html)
    assert any(link.endswith(".tex") for link in links) and any(link.startswith("#") for link in links)
    for link in links:
        assert f'id="{link[1:]}"' in html if link.startswith("#") else (grid.output / link).is_file()


def test_numbers_are_those_of_statistics_in_all_formats(written):
    grid, html = written
    numbers = compare_methods(load_results(grid).scores, "dice")
    texts = {
        end: (grid.output / "report_files" / f"dice.{end}").read_text(encoding="utf-8") for end in ("csv", "md", "tex")
    }
    cells = cells_of(html)
    for _, row in numbers.iterrows():
        mean, interval = f"{row['mean']:.3f}", f"[{row['low']:.3f}, {row['high']:.3f}]"
        star = " *" if row["p_holm"] < 0.05 else ""
        assert f"{mean}{star} {interval}" in cells
        assert all(mean in text and interval in text for text in texts.values())
        if row["is_best"]:
            assert f'<td class="best">{mean}' in html
            assert f"**{mean}**" in texts["md"] and f"\\textbf{{{mean}}}" in texts["tex"]
    assert html.count('<td class="best">') >= numbers["is_best"].sum() > 0
    unrounded = pd.read_csv(grid.output / "report_files" / "numbers.csv")
    assert set(unrounded["measure"]) == {"dice", "hd", "hd95", "assd", "nsd_2mm", "volume_difference"}
    found = unrounded[unrounded["measure"] == "dice"].reset_index(drop=True)
    pd.testing.assert_series_equal(found["mean"], numbers["mean"])
    pd.testing.assert_series_equal(found["p_holm"], numbers["p_holm"])


def test_missing_cells_are_said_and_marked(written):
    _, html = written
    assert "2 of the 12 cells of the grid are not in this report" in html
    assert "A, 10 % of the labels, seed 1: failed: out of &lt;memory&gt;" in html
    assert "B, 50 % of the labels, seed 1: waiting" in html
    marked = set(re.findall(r"([AB]) <small>\(1 of 2 seeds\)", html))
    assert marked == {"A", "B"}


def test_absent_organs_and_missed_ones(written):
    grid, html = written
    markdown = (grid.output / "report_files" / "dice.md").read_text(encoding="utf-8")
    part = markdown[markdown.index("**MRI, 10 %") :]
    row = next(line for line in part.splitlines() if line.startswith("| A"))
    assert row.split("|")[3].strip() == "–" and row.split("|")[2].strip() != "–"  # spleen and liver
    hd95 = (grid.output / "report_files" / "hd95.md").read_text(encoding="utf-8")
    rows = [line for line in hd95.splitlines() if "1 missed" in line]
    assert rows and all(line.startswith("| C") and "**" not in line.split("|")[2] for line in rows)
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<[^>]+>", " ", html), re.IGNORECASE)


def test_each_metric_of_the_scores_is_explained(written):
    _, html = written
    for metric in list_metrics():
        assert f"{metric.title}: {metric.meaning}" in html


def test_versions_and_why_there_are_no_pictures(written):
    _, html = written
    assert "2.9.9" in html and "box" in html
    assert "No pictures: methods has" in html and "Plans and splits are not shown: methods has" in html


def test_a_reference_can_be_chosen(written, tmp_path, capsys):
    grid, _ = written
    path = tmp_path / "b.html"
    assert main(["benchmark", "report", str(grid.output / "last_grid.yaml"), "-o", str(path), "--reference", "B"]) == 0
    assert "from 10 of 12 cells" in capsys.readouterr().out
    html = path.read_text(encoding="utf-8")
    assert "differs significantly from B" in html and "from B (reference)" in html
    tests = pd.read_csv(tmp_path / "b_files" / "dice_tests.csv")
    assert set(tests["reference"]) == {"B"} and set(tests["method"]) == {"A", "C"}
    numbers = compare_methods(load_results(grid).scores, "dice", "B")
    row = numbers[(numbers["organ"] == ALL_ORGANS) & (numbers["method"] == "A")].iloc[0]
    assert tests["difference"].iloc[0] == round(row["difference"], 3)
    assert main(["benchmark", "report", str(grid.output), "--reference", "Z"]) == 2
    assert "--reference Z has no scores: name one of A, B, C" in capsys.readouterr().err
    assert main(["benchmark", "report", str(grid.output), "-o", "x.pdf"]) == 2


@pytest.mark.parametrize("methods", [("A",), ("A", "B")])
def test_one_case_only(tmp_path, methods):
    grid = write_scored(tmp_path / "out", methods, (1.0,), 1, 1, ("CT",))
    assert main(["benchmark", "report", str(grid.output)]) == 0
    html = (grid.output / "report.html").read_text(encoding="utf-8")
    tests = [text for text in cells_of(html) if text == "n too small"]
    assert bool(tests) == (len(methods) > 1) == ("There is nothing to compare with" not in html)
    assert "(1 patient, 1 seed)" in html


def test_what_a_reader_should_know_comes_first(tmp_path):
    grid = write_scored(tmp_path / "out", ("A", "B"), (0.1,), 1, 2, ("CT",))
    save_grid(replace(grid, note="Synthetic phantoms, not <patients>."))
    assert main(["benchmark", "report", str(grid.output)]) == 0
    html = (grid.output / "report.html").read_text(encoding="utf-8")
    assert "Synthetic phantoms, not &lt;patients&gt;. 2 methods, 1 label rate, 1 seed" in html


def test_folder_without_a_grid(tmp_path, capsys):
    assert main(["benchmark", "report", str(tmp_path)]) == 2
    assert "is a folder in which no grid was run" in capsys.readouterr().err


def test_names_are_text_wherever_they_stand(tmp_path):
    """Names of methods, modalities, datasets, cases, patients and organs, in tables, figures, captions and links."""
    name = '<script>alert("$x$")</script>'
    grid = write_scored(tmp_path / "out", ("A", "B"), (0.1,), 2, 6, (f"CT{name}",), (f"liver{name}",))
    for cell in grid.cells:
        scores = make_scores(grid, cell, 6, (f"CT{name}",), (f"liver{name}", "spleen"))
        for column in ("case", "patient", "dataset"):
            scores[column] += name
        write_cell(grid, cell, scores, host=name, error=name, versions={name: name})
    assert main(["benchmark", "report", str(grid.output)]) == 0
    html = (grid.output / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html and "&lt;script&gt;" in html
    parser = Balanced()
    parser.feed(html)
    assert not parser.open
    for figure in (grid.output / "report_files").glob("*.svg"):
        assert "<script" not in figure.read_text(encoding="utf-8")
