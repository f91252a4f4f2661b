"""The sections of a report that show scores."""

import pandas as pd
from markupsafe import Markup

from mass_nnunet.benchmark.run.grid import Cell
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.data.files import atomic_path
from mass_nnunet.evaluation.metrics import DICE, metrics_among
from mass_nnunet.evaluation.statistics import MIN_PATIENTS, RESAMPLES, rank_methods
from mass_nnunet.reporting import html as report

from . import cost as costs
from . import figures, tables
from .comparison import SIGNIFICANT_P, compare_methods
from .formats import MARK
from .page import Page
from .results import ALL_ORGANS
from .worst import draw_worst, worst_scans, worst_table

_NUMBERS = "numbers.csv"
WORST_PICTURES = "worst_{}.jpg"
"""Names of the only files of a report that show scans."""


def dice(page: Page) -> Markup:
    """The section on Dice: the best methods, the table over all organs, its tests, and the table by organ."""
    whole = page.numbers[page.numbers["organ"] == ALL_ORGANS]
    sentences = []
    for modality, rate in page.results.settings:
        rows = whole[(whole["modality"] == modality) & (whole["label_rate"] == rate)].dropna(subset="mean")
        if rows.empty:
            continue
        best = rows.loc[rows["mean"].idxmax()]
        text = f"{tables.setting_title(modality, rate)}: {best['method']} {DICE.text(best['mean'])}"
        tested = rows[rows["other"].notna()]
        if len(tested):
            marked = tested[tested["p_holm"] < SIGNIFICANT_P]
            ahead, behind = (marked["difference"] > 0).sum(), (marked["difference"] < 0).sum()
            untested = (tested["tested"] < MIN_PATIENTS).sum()
            other = tested["other"].iloc[0]
            text += f"; of {len(tested)} others {behind} are significantly behind {other}, {ahead} ahead"
            text += f" ({untested} not tested, n too small)" if untested else ""
        sentences.append(f"{text}.")
    overview = tables.overview_table(page.results, page.numbers, DICE.column)
    tests = tables.comparison_table(page.results, page.numbers, DICE.column)
    by_organ = tables.score_table(page.results, page.numbers, DICE.column)
    return Markup("\n").join(
        [
            report.paragraph("Best mean over all organs:"),
            report.items(sentences),
            report.paragraph(_marks(page), "note"),
            report.subsection("Over all organs", page.table(overview, f"{DICE.column}_overview")),
            report.fold_out("Tests over all organs", page.table(tests, f"{DICE.column}_tests")),
            report.subsection("By organ", page.table(by_organ, DICE.column)),
        ]
    )


def _marks(page: Page) -> str:
    against = f"from {page.reference}" if page.reference else "from the best of its column"
    return (
        f"Mean over test patients, where a patient is the mean over organs, then over scans and seeds; below it the "
        f"95 % bootstrap interval. Best in bold. {MARK} differs significantly {against}: Wilcoxon signed-rank "
        f"test over patients, two-sided, p < {SIGNIFICANT_P:g} after Holm's correction over all tests of the column "
        f"“{ALL_ORGANS}”, and over those of the single organs of a setting. Fewer than {MIN_PATIENTS} patients are not "
        "tested."
    )


def rates(page: Page) -> Markup:
    """The figure of Dice against label rate."""
    path = page.figure("dice_rates.svg")
    figures.draw_rates(page.results, page.numbers, page.looks, path)
    text = "Mean Dice over all organs and its 95 % bootstrap interval over patients"
    if len({rate for _, rate in page.results.settings}) > 1:
        text += "; the methods are side by side so that all intervals are visible"
    return report.picture(path, f"{text}.")


def boxes(page: Page) -> Markup:
    """One figure per setting: box plots of the patients' Dice by organ."""
    parts = []
    for number, setting in enumerate(page.results.settings):
        path = page.figure(f"boxes_{_stem(setting)}.svg")
        figures.draw_boxes(page.results, setting, page.looks, path)
        text = "A patient counts once, as the mean over seeds. Box: quartiles, median; whiskers: 1.5 times its width."
        parts.append(report.fold_out(tables.setting_title(*setting), report.picture(path, text), number < 2))
    return Markup("\n").join(parts)


def _stem(setting: tuple[str, float]) -> str:
    return f"{setting[0]}_{setting[1]:g}"


def slopes(page: Page) -> Markup:
    """One figure per setting: Dice of each patient with the reference and with every other method."""
    parts = []
    for number, setting in enumerate(page.results.settings):
        path = page.figure(f"slopes_{_stem(setting)}.svg")
        if not figures.draw_slopes(page.results, setting, page.numbers, path):
            continue
        rows = page.numbers[page.numbers["organ"].eq(ALL_ORGANS) & page.numbers["modality"].eq(setting[0])]
        others = rows.loc[rows["label_rate"].eq(setting[1]), "other"].dropna()
        text = (
            f"A line a patient, from {others.iloc[0]} (reference) to the method above: blue is higher with the method, "
            "orange lower; black is the mean. Difference of the means, and p after Holm's correction."
        )
        parts.append(report.fold_out(tables.setting_title(*setting), report.picture(path, text), number < 2))
    return Markup("\n").join(parts) or report.paragraph("There is nothing to compare with.")


def ranking(page: Page) -> Markup:
    """The ranks by Dice and their stability."""
    if len(page.results.methods) < 2:
        return report.paragraph("There is nothing to rank.")
    rankings = {setting: rank_methods(page.results.of(*setting), DICE.column) for setting in page.results.settings}
    path = page.figure("ranking.svg")
    figures.draw_rankings(rankings, path)
    text = (
        f"Ranks by mean Dice in {RESAMPLES} bootstrap resamples of the patients; methods in the order of their rank "
        "with all patients. Only patients that all methods scored count."
    )
    table = page.table(tables.ranking_table(rankings), "ranking")
    return report.picture(path, text) + report.fold_out("Ranks and their stability in numbers", table)


def measures(page: Page) -> Markup:
    """The tables of each further metric, and all numbers in one file."""
    parts = [
        report.paragraph(
            "Distances are means over the organs that were found. Organs that were not found are counted as missed: a "
            "method that missed one is never the best, and the tests take it to be worse than any distance."
        )
    ]
    numbers_of = {DICE.column: page.numbers}
    for metric in metrics_among(page.results.measures):
        if metric == DICE:
            continue
        numbers = compare_methods(page.results.scores, metric.column, page.reference)
        numbers_of[metric.column] = numbers
        html = page.table(tables.score_table(page.results, numbers, metric.column), metric.column)
        if metric.better is not None:
            html += page.table(tables.comparison_table(page.results, numbers, metric.column), f"{metric.column}_tests")
        parts.append(report.fold_out(metric.title, html))
    with atomic_path(page.files / _NUMBERS) as temporary:
        pd.concat(numbers_of, names=["measure"]).reset_index("measure").to_csv(temporary, index=False)
    text = "All measures and organs unrounded, with every test"
    return Markup("\n").join([*parts, report.links(text, page.files.name, [(_NUMBERS, _NUMBERS)])])


def worst(page: Page) -> Markup:
    """One figure per setting with the worst scan of each method, and a table of the worst organs."""
    parts = []
    jobs: dict[Cell, Job] = {job.cell: job for job in page.jobs if page.pictures}
    if not page.pictures:
        for picture in page.files.glob(WORST_PICTURES.format("*")):  # of an earlier report
            picture.unlink()
    for number, setting in enumerate(page.results.settings):
        path = page.figure(WORST_PICTURES.format(_stem(setting)))
        if jobs and draw_worst(worst_scans(page.results, setting), jobs, path):
            text = (
                "The test scan of each method with the lowest mean Dice, among all seeds: the slice where truth and "
                "prediction differ most. Filled: prediction; white line: truth. The patient's right is on the left of "
                "axial slices."
            )
            parts.append(report.fold_out(tables.setting_title(*setting), report.picture(path, text), number < 2))
    if not parts:
        why = page.no_jobs or "the predictions or test scans do not exist any more"
        why = why if page.pictures else "they were not asked for (--no-pictures)"
        parts.append(report.paragraph(f"No pictures: {why}.", "note"))
    table = page.table(worst_table(page.results), "worst")
    return Markup("\n").join([*parts, report.fold_out("The worst organs", table)])


def effort(page: Page) -> Markup:
    """The figure of Dice against training time and steps, and what a Dice cost to reach."""
    known = costs.courses(page.results, page.numbers)
    if not known:
        why = "The cells do not tell the course of their trainings: they are of an older version."
        return report.paragraph(why, "note")
    path = page.figure("courses.svg")
    looks = {page.results.trainers[method]: page.looks[method] for method in reversed(page.results.methods)}
    figures.draw_courses(known, looks, path)
    text = (
        "Line: nnU-Net's pseudo Dice after each epoch, mean over seeds. It is the Dice of random patches of the few "
        "validation scans, by the segmentation head, with all voxels of an epoch in one sum: it rises and falls with "
        "the patches, and is not the Dice of a scan. Mark: the Dice of the test scans with the final model, whole "
        "scans, mean over patients and modalities. A method that trains each modality alone takes as many steps for "
        "each, and its times are added."
    )
    return report.picture(path, text) + page.table(costs.course_table(known), "courses")
