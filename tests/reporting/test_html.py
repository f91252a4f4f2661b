"""The HTML report: what is bold, what was missed, and nothing from the network."""

import math
import re

import numpy as np
import pandas as pd
from PIL import Image

from balanced import Balanced
from mass_nnunet.reporting import html as report


def scores(values, column="dice"):
    """Rows from {(modality, method, organ): values by case}."""
    return pd.DataFrame(
        [
            {"modality": m, "method": t, "organ": o, "case": str(i), "dice": 0.5, column: value}
            for (m, t, o), cases in values.items()
            for i, value in enumerate(cases)
        ]
    )


def bold(html):
    return re.findall(r'<td class="best">([\d.]+)', html)


def test_page_is_balanced_self_contained_html(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "x.png")
    parts = [
        report.paragraph("a < b", "note"),
        report.paragraph("plain"),
        report.code(["one --x <y>", "two"]),
        report.picture(tmp_path / "x.png", 'a "caption"'),
        report.table(["name", "n"], [["x & y", 3]]),
    ]
    report.write_page(tmp_path / "out" / "r.html", report.page("Title <1>", "lead", [report.section("S", *parts)]))
    html = (tmp_path / "out" / "r.html").read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(html)
    assert not parser.open
    assert {"pre", "img", "table", "h2"} <= set(parser.seen)
    assert "Title &lt;1&gt;" in html and "a &lt; b" in html and "x &amp; y" in html
    assert "http" not in html and "<script" not in html and "data:image/png;base64," in html


def test_the_best_mean_is_bold_in_each_column_of_each_modality():
    html = report.score_table(
        scores(
            {
                ("CT", "A", "liver"): [0.9, 0.7],
                ("CT", "B", "liver"): [0.8, 0.9],
                ("CT", "A", "left_kidney"): [0.7, 0.7],
                ("CT", "B", "left_kidney"): [0.5, 0.5],
                ("MRI", "A", "liver"): [0.1, 0.3],
                ("MRI", "B", "liver"): [0.1, 0.3],
            }
        ),
        report.DICE,
    )
    # CT: A is best at the kidney and in the mean, B at the liver; MRI: both alike, so none is.
    assert bold(html) == ["0.700", "0.750", "0.850"]
    assert "<small>± 0.141</small>" in html and "left kidney" in html
    assert "&ndash;" in html  # the MRIs have no kidney


def test_a_method_that_missed_an_organ_is_not_best_at_distances():
    table = {("CT", "A", "liver"): [1.0, math.inf], ("CT", "B", "liver"): [9.0, 11.0], ("CT", "C", "liver"): [math.inf]}
    html = report.score_table(scores(table, "hd95"), report.HD95)
    assert bold(html) == ["10.0", "10.0"]
    assert "1.0 <small>(1 missed)</small>" in html and "<small>1 missed</small>" in html


def test_smaller_distance_is_better_and_a_single_method_is_not_marked():
    table = {("CT", "A", "liver"): [1.0], ("CT", "B", "liver"): [2.0]}
    assert bold(report.score_table(scores(table, "hd95"), report.HD95)) == ["1.0", "1.0"]
    assert bold(report.score_table(scores({("CT", "A", "liver"): [1.0]}), report.DICE)) == []


def test_environment_names_versions():
    names = dict(report.environment())
    assert names["nnunetv2"].startswith("2.8") and int(names["CPU cores"]) >= 1
