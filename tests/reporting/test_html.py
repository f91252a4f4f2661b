"""The parts of an HTML page: they are escaped, balanced, and load nothing from the network."""

import numpy as np
from PIL import Image

from balanced import Balanced
from mass_nnunet.reporting import html as report


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


def test_text_is_escaped_everywhere_and_html_is_not():
    name, shown = "<script>'\"&", "&lt;script&gt;&#39;&#34;&amp;"
    made = [
        report.section(name, report.paragraph(name)),
        report.subsection(name),
        report.paragraph(name, name),
        report.code([name]),
        report.items([name]),
        report.fold_out(name, report.paragraph(name), is_open=True),
        report.links(name, name, [(name, name)]),
        report.table([name], [[name]]),
        report.page(name, name, [report.paragraph(name)]),
    ]
    for html in made:
        assert "<script" not in html and shown in html and "&amp;lt;" not in html
    assert report.section("title", "<b>no markup</b>").endswith("&lt;b&gt;no markup&lt;/b&gt;")


def test_links_and_fold_outs():
    html = report.links("All of it", "page_files", [("a.csv", "CSV"), ("a.md", "Markdown")])
    assert html == (
        '<p class="note">All of it: <a href="page_files/a.csv">CSV</a> <a href="page_files/a.md">Markdown</a></p>'
    )
    assert report.fold_out("t", report.paragraph("x"), is_open=True).startswith("<details open><summary>t</summary>")
    assert report.fold_out("t", report.paragraph("x")).startswith("<details><summary>t</summary>")


def test_columns_of_text_and_of_numbers():
    html = report.table(["a", "b", "n"], [["x", "y", 1.5]], text_columns=2)
    assert '<th class="text">a</th><th class="text">b</th><th>n</th>' in html
    assert '<tr><td class="text">x</td><td class="text">y</td><td>1.5</td></tr>' in html


def test_environment_names_versions():
    names = dict(report.versions())
    assert names["nnunetv2"].startswith("2.8") and int(names["CPU cores"]) >= 1
