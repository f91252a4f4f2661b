"""The report of a grid: one self-contained HTML page, and its tables and figures as files beside it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from mass_nnunet import trainers
from mass_nnunet.benchmark.run.grid import Grid, to_yaml
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.metrics import DICE, metrics_among
from mass_nnunet.evaluation.statistics import MIN_PATIENTS, RESAMPLES
from mass_nnunet.reporting import html as report
from mass_nnunet.runtime.exclusive import only_user_of

from . import cost, provenance, sections
from .comparison import compare_methods
from .page import Page
from .palette import styles
from .results import Results, load_results


def write_report(grid: Grid, path: Path, reference: str | None = None, *, pictures: bool = True) -> Results:
    """Write the page ``path``, and beside it the folder ``STEM_files``.

    Args:
        grid: a grid with at least one finished cell.
        path: the HTML file.
        reference: the method that all others are tested against; None for the best method of each column.
        pictures: whether scans are shown. Without, none is on the page or in its folder, also not from an earlier
            report.

    Raises:
        UserError: no cell is done, scores cannot be read, the reference has no scores, or another process is writing
            the report.
    """
    jobs, no_jobs = _jobs(grid)
    results = load_results(grid, jobs)
    if reference is not None and reference not in results.methods:
        raise UserError(f"--reference {reference} has no scores: name one of {', '.join(results.methods)}")
    numbers = compare_methods(results.scores, DICE.column, reference)
    page = Page(results, reference, numbers, styles(results.trainers), Path(path), jobs, no_jobs, pictures)
    with only_user_of([page.files], "`benchmark report`"):
        _write(page)
    return results


def _write(page: Page) -> None:
    parts = [
        ("Dice", sections.dice(page)),
        ("Dice against label rate", sections.rates(page)),
        ("Dice by organ", sections.boxes(page)),
        ("Patient by patient", sections.slopes(page)),
        ("Ranking", sections.ranking(page)),
        ("Further measures", sections.measures(page)),
        ("Worst cases", sections.worst(page)),
        ("Dice against training time and steps", sections.effort(page)),
        ("Cost", _cost(page)),
        ("Methods", _methods(page)),
        ("Environment and splits", _provenance(page)),
        ("How the numbers are made", _definitions(page)),
    ]
    contents = report.macro("contents", [title for title, _ in parts], template="benchmark.html")
    body = [contents, provenance.missing_cells(page.results)]
    for number, (title, html) in enumerate(parts):
        body.append(report.macro("numbered", number, report.section(title, html), template="benchmark.html"))
    report.write_page(page.path, report.page("Benchmark of segmentation methods", _lead(page), body))


def _jobs(grid: Grid) -> tuple[Sequence[Job], str]:
    # Imported here, because this imports nnU-Net, which load_results does not need.
    from mass_nnunet.benchmark.run.lookup import make_jobs

    try:
        return make_jobs(grid), ""
    except UserError as error:
        return (), str(error)


def _lead(page: Page) -> str:
    results = page.results
    counts = [
        (len(set(results.trainers.values())), "method"),
        (len({rate for _, rate in results.settings}), "label rate"),
        (results.scores["seed"].nunique(), "seed"),
    ]
    words = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)
    tested = results.scores.drop_duplicates(["modality", "patient"]).groupby("modality", sort=False).size()
    patients = " and ".join(f"{count} with {modality}" for modality, count in tested.items())
    others = [external.name for external in results.grid.external]
    made = f"Predictions of {' and '.join(others)} were made by other tools, and only scored here." if others else ""
    # Other tools have other training data, and variants may have other epochs.
    is_plain = not results.grid.external and not results.grid.variants
    same = "splits, schedule and test patients" if is_plain else "test patients"
    sentences = [
        results.grid.note,
        f"{words}; the same {same} for all ({patients}).",
        made,
        provenance.schedule(page.jobs) if page.jobs else "",
        "Brackets name the inference; without them a method predicts by its segmentation head, or in its only way.",
    ]
    return " ".join(filter(None, sentences))


def _cost(page: Page) -> Markup:
    text = (
        "A cell trains once, all modalities together or each alone, then predicts all test scans, with reading and "
        "writing. “To Dice”: training time until nnU-Net's pseudo Dice (on patches of the validation scans) first "
        "reached the value. Time of interrupted attempts does not count. Compare times only if they are of one kind of "
        "machine."
    )
    tables = {"cost": cost.cost_table, "cost_of_prediction": cost.prediction_table}
    parts = [page.table(table(page.results), name) for name, table in tables.items()]
    return Markup("\n").join([report.paragraph(text, "note"), *parts])


def _methods(page: Page) -> Markup:
    grid = page.results.grid
    rows = []
    for name in grid.methods:
        method = grid.method(name)
        text = getattr(getattr(trainers, method.trainer, None), "__doc__", None)
        what = " ".join(text.split("\n\n")[0].split()) if text else "–"
        if any(variant.name == name for variant in grid.variants):
            what = f"{method.trainer} on {method.plans}, {method.configuration}. {what if text else ''}"
        rows.append([name, what])
    for external in grid.external:
        rows.append([external.name, "Predictions of another tool: this report does not know what it was trained on."])
    return report.table(["method", "what it is"], rows, text_columns=2)


def _provenance(page: Page) -> Markup:
    parts = [provenance.environments(page.results)]
    if page.jobs:
        parts += [provenance.plans(page.jobs), provenance.splits(page.jobs)]
    else:
        parts.append(report.paragraph(f"Plans and splits are not shown: {page.no_jobs}.", "warning"))
    grid = page.results.grid
    # The page does not tell readers the paths of this machine.
    external = tuple(replace(one, folder=Path(one.folder.name)) for one in grid.external)
    text = to_yaml(replace(grid, external=external), grid.output.name)
    commands = [f"mass_nnunet benchmark {action} grid.yaml" for action in ("run", "report")]
    code = report.code(["# grid.yaml", *text.splitlines(), "", "# commands", *commands])
    return Markup("\n").join([*parts, report.paragraph("The grid, as it was read:"), code])


def _definitions(page: Page) -> Markup:
    against = page.reference or "the method with the best mean of its setting and organ"
    texts = [
        "The random unit is the patient. Organs, scans and seeds of one patient are averaged first: they are not "
        "independent.",
        "An organ that the truth of a scan lacks is left out for that scan. A dash: no test scan has the organ.",
        f"Intervals: percentile bootstrap over patients, {RESAMPLES} resamples. With few patients they are too narrow.",
        f"Tests: every method against {against}; Wilcoxon signed-rank over the patients that both scored, on the same "
        "scans, organs and seeds. Tests over all organs are one family for Holm's correction, those of the single "
        f"organs of a modality and label rate another. “n too small”: fewer than {MIN_PATIENTS} patients, with which "
        "no difference could have p < 0.05.",
        "The best method looks better than it is where the same data choose and test it: give a reference beforehand "
        "(--reference) to avoid this.",
        "Ranking: by the mean over the patients that all methods scored. Its stability is measured by bootstrap of the "
        "patients; Kendall's tau is the mean agreement of a resample's ranking with that of all patients (Wiesenfarth "
        "et al. 2021).",
        "; ".join(f"{metric.title}: {metric.meaning}" for metric in metrics_among(page.results.measures)) + ".",
    ]
    return report.items(texts)
