"""The sections of a report that show scores."""

from html import escape

import pandas as pd

from mass_nnunet.benchmark.run.grid import Cell
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.data.files import atomic_path
from mass_nnunet.evaluation.command import metric_title
from mass_nnunet.evaluation.statistics import MIN_PATIENTS, RESAMPLES, rank_methods
from mass_nnunet.reporting import html as report

from . import figures, tables
from .comparison import LEVEL, compare_methods, has_better_end
from .formats import MARK, Table
from .page import Page, fold_out
from .results import ALL_ORGANS
from .worst import draw_worst, worst_scans, worst_table

_NUMBERS = "numbers.csv"


def dice(page: Page) -> str:
    """The table over all organs, what it says in words, its tests, and the table by organ."""
    whole = page.numbers[page.numbers["organ"] == ALL_ORGANS]
    sentences = []
    for modality, rate in page.results.settings:
        rows = whole[(whole["modality"] == modality) & (whole["label_rate"] == rate)].dropna(subset="mean")
        if rows.empty:
            continue
        best = rows.loc[rows["mean"].idxmax()]
        text = f"{tables.setting_title(modality, rate)}: {best['method']} {best['mean']:.3f}"
        tests = rows[rows["other"].notna()]
        if len(tests):
            marked = tests[tests["p_holm"] < LEVEL]
            ahead, behind = (marked["difference"] > 0).sum(), (marked["difference"] < 0).sum()
            untested = (tests["tested"] < MIN_PATIENTS).sum()
            other = tests["other"].iloc[0]
            text += f"; of {len(tests)} others {behind} are significantly behind {other}, {ahead} ahead"
            text += f" ({untested} not tested, n too small)" if untested else ""
        sentences.append(f"<li>{escape(text)}.</li>")
    return "\n".join(
        [
            f"<p>Best mean over all organs:</p><ul>{''.join(sentences)}</ul>",
            report.paragraph(_marks(page), "note"),
            "<h3>Over all organs</h3>",
            page.table(tables.overview_table(page.results, page.numbers, "dice"), "dice_overview"),
            fold_out("Tests over all organs", page.table(_tests(page, page.numbers, "dice"), "dice_tests")),
            "<h3>By organ</h3>",
            page.table(tables.score_table(page.results, page.numbers, "dice"), "dice"),
        ]
    )


def _marks(page: Page) -> str:
    against = f"from {page.reference}" if page.reference else "from the best of its column"
    return (
        f"Mean over test patients, a patient being the mean over organs, then over scans and seeds; below, its 95 % "
        f"bootstrap interval. Best in bold. {MARK} marks what differs significantly {against}: Wilcoxon signed-rank "
        f"test over patients, two-sided, p < {LEVEL:g} after Holm's correction over all tests of the column "
        f"“{ALL_ORGANS}”, and over those of the single organs of a setting. Below {MIN_PATIENTS} patients nothing is "
        "tested."
    )


def _tests(page: Page, numbers: pd.DataFrame, measure: str) -> Table:
    return tables.comparison_table(page.results, numbers, measure)


def rates(page: Page) -> str:
    """The figure of Dice against label rate."""
    path = page.figure("dice_rates.svg")
    figures.draw_rates(page.results, page.numbers, page.looks, path)
    text = "Mean Dice over all organs and its 95 % bootstrap interval over patients"
    if len({rate for _, rate in page.results.settings}) > 1:
        text += "; the methods stand side by side, so that their intervals do not hide each other"
    return report.picture(path, f"{text}.")


def boxes(page: Page) -> str:
    """A figure a setting: the patients' Dice by organ."""
    parts = []
    for number, setting in enumerate(page.results.settings):
        path = page.figure(f"boxes_{_stem(setting)}.svg")
        figures.draw_boxes(page.results, setting, page.looks, path)
        text = (
            "A patient counts once, as the mean over seeds. Box: quartiles and median; whiskers: 1.5 times its width."
        )
        parts.append(fold_out(tables.setting_title(*setting), report.picture(path, text), number < 2))
    return "\n".join(parts)


def _stem(setting: tuple[str, float]) -> str:
    return f"{setting[0]}_{setting[1]:g}"


def slopes(page: Page) -> str:
    """A figure a setting: each patient under the reference and under every other method."""
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
        parts.append(fold_out(tables.setting_title(*setting), report.picture(path, text), number < 2))
    return "\n".join(parts) or report.paragraph("There is nothing to compare with.")


def ranking(page: Page) -> str:
    """The ranks by Dice, and how stable they are."""
    if len(page.results.methods) < 2:
        return report.paragraph("There is nothing to rank.")
    rankings = {setting: rank_methods(page.results.of(*setting), "dice") for setting in page.results.settings}
    path = page.figure("ranking.svg")
    figures.draw_rankings(rankings, path)
    text = (
        f"Ranks by mean Dice when the patients are drawn again with replacement, {RESAMPLES} times; methods in the "
        "order of their rank with all patients. Only patients that all methods scored count."
    )
    table = page.table(tables.ranking_table(rankings), "ranking")
    return f"{report.picture(path, text)}\n{fold_out('Ranks and their stability in numbers', table)}"


def measures(page: Page) -> str:
    """A fold-out a measure, and all numbers in one file."""
    parts = [
        report.paragraph(
            "Distances are means over the organs that were found; those not found at all are counted as missed, and "
            "a method that missed any is never best, but the tests take them for worse than any distance."
        )
    ]
    numbers_of = {"dice": page.numbers}
    for measure in page.results.measures:
        if measure == "dice":
            continue
        numbers = compare_methods(page.results.scores, measure, page.reference)
        numbers_of[measure] = numbers
        html = page.table(tables.score_table(page.results, numbers, measure), measure)
        if has_better_end(measure):
            html += page.table(_tests(page, numbers, measure), f"{measure}_tests")
        parts.append(fold_out(metric_title(measure), html))
    with atomic_path(page.files / _NUMBERS) as temporary:
        pd.concat(numbers_of, names=["measure"]).reset_index("measure").to_csv(temporary, index=False)
    link = f'<a href="{page.files.name}/{_NUMBERS}">{_NUMBERS}</a>'
    return "\n".join([*parts, f'<p class="note">All measures and organs unrounded, with every test: {link}</p>'])


def worst(page: Page) -> str:
    """A picture a setting of the worst scan of each method, and a table of the worst organs."""
    parts = []
    jobs: dict[Cell, Job] = {job.cell: job for job in page.jobs}
    for number, setting in enumerate(page.results.settings):
        path = page.figure(f"worst_{_stem(setting)}.jpg")
        if jobs and draw_worst(worst_scans(page.results, setting), jobs, path):
            text = (
                "Of each method the test scan with the lowest mean Dice, of all seeds: the axial slice where truth and "
                "prediction differ most. Filled: prediction; white line: truth. The patient's right is on the left."
            )
            parts.append(fold_out(tables.setting_title(*setting), report.picture(path, text), number < 2))
    if not parts:
        why = page.no_jobs or "the predictions or test scans are no longer there"
        parts.append(report.paragraph(f"No pictures: {why}.", "note"))
    return "\n".join([*parts, fold_out("The worst organs", page.table(worst_table(page.results), "worst"))])
