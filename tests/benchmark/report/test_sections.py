"""The texts of a report's sections; their numbers are tested in test_document.py."""

import re
from dataclasses import replace

import pytest

from mass_nnunet.benchmark.report import sections
from mass_nnunet.benchmark.report.comparison import compare_methods
from mass_nnunet.benchmark.report.page import Page
from mass_nnunet.benchmark.report.palette import styles
from mass_nnunet.benchmark.report.results import load_results
from scored_grid import write_scored


def make_page(folder, methods=("A", "B", "C"), rates=(0.1, 0.5), patients=8, reference=None):
    results = load_results(write_scored(folder / "out", methods, rates, 2, patients, ("CT",), ("liver",)))
    numbers = compare_methods(results.scores, "dice", reference)
    looks = styles(results.trainers)
    return Page(results, reference, numbers, looks, folder / "page.html", (), "no data <here>")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return make_page(tmp_path_factory.mktemp("sections"), reference="A")


def test_the_best_of_each_setting_is_said_with_what_the_tests_found(page):
    said = re.findall(r"<li>(.*?)</li>", sections.dice(page))
    best = page.numbers[page.numbers["is_best"] & (page.numbers["organ"] == "all organs")]["mean"]
    expected = "CT, {} % of the labels: C {:.3f}; of 2 others 0 are significantly behind A, 2 ahead."
    assert said == [expected.format(rate, mean) for rate, mean in zip((10, 50), best, strict=True)]


def test_too_few_patients_are_said(tmp_path):
    html = sections.dice(make_page(tmp_path, patients=5))
    assert html.count("(2 not tested, n too small)") == 2


def test_a_figure_a_setting_and_the_first_two_open(page):
    for draw in (sections.boxes, sections.slopes):
        html = draw(page)
        assert html.count("<details open>") == html.count("<img") == 2
        assert "CT, 10 % of the labels" in html and "CT, 50 % of the labels" in html
    names = {file.name for file in page.files.glob("*.svg")}
    assert {"boxes_CT_0.1.svg", "boxes_CT_0.5.svg", "slopes_CT_0.1.svg", "slopes_CT_0.5.svg"} <= names


def test_label_rates_stand_side_by_side_only_where_there_are_several(page, tmp_path):
    assert "side by side" in sections.rates(page)
    assert "side by side" not in sections.rates(make_page(tmp_path, rates=(0.1,)))


def test_a_lone_method_is_neither_compared_nor_ranked(tmp_path):
    page = make_page(tmp_path, methods=("A",))
    assert "nothing to compare with" in sections.slopes(page)
    assert "nothing to rank" in sections.ranking(page)


def test_every_further_metric_has_its_table_and_those_with_a_direction_their_tests(page):
    html = sections.measures(page)
    titles = re.findall(r"<summary>(.*?)</summary>", html)
    assert titles == ["HD (mm)", "HD95 (mm)", "ASSD (mm)", "NSD 2mm", "volume difference"]
    names = {file.stem for file in page.files.glob("*.csv")}
    assert {"hd_tests", "nsd_2mm", "nsd_2mm_tests", "volume_difference", "numbers"} <= names
    assert "volume_difference_tests" not in names
    assert html.endswith('<a href="page_files/numbers.csv">numbers.csv</a></p>')


def test_why_there_are_no_pictures_of_the_worst(page):
    html = sections.worst(page)
    assert "No pictures: no data &lt;here&gt;." in html and "The worst organs" in html and "<img" not in html


def test_the_course_of_a_training_says_that_its_dice_is_that_of_patches(page):
    html = sections.effort(page)
    assert "It is the Dice of random patches" in html and "<img" in html and "to 0.7" in html
    assert {"courses.svg", "courses.csv", "courses.md", "courses.tex"} <= {file.name for file in page.files.iterdir()}


def test_cells_without_a_course_are_said(tmp_path):
    page = make_page(tmp_path, methods=("A",))
    records = {cell: {**record, "course": []} for cell, record in page.results.records.items()}
    html = sections.effort(replace(page, results=replace(page.results, records=records)))
    assert "they are of an older version" in html and "<img" not in html
