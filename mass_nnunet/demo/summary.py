"""The page of the demo, ``report.html``, from the files that its steps wrote."""

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from mass_nnunet.benchmark.run.grid import load_grid
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.scoring import SCORES
from mass_nnunet.benchmark.run.shell import commands
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TEST
from mass_nnunet.data.splits import load_fold
from mass_nnunet.reporting import html as report
from mass_nnunet.runtime.env import export_lines

from .pictures import SHOWN, draw_curves, draw_model, draw_overlays, fold_folder
from .settings import Settings
from .steps import LABELS_ALONE, MASS, Folders, Step


def write_report(folders: Folders, settings: Settings, steps: Sequence[Step], seconds: Mapping[str, float]) -> None:
    """Draw the figures and write the page; nnU-Net's variables must point to the demo's folders."""
    jobs = make_jobs(load_grid(folders.grid))
    sections = [
        _results(folders, jobs),
        _overlays(folders, jobs),
        _model(folders, jobs),
        _training(folders, jobs),
        _data(settings, jobs),
        _commands(folders, jobs, steps),
        _cost(steps, seconds),
    ]
    lead = (
        "One CT model and one MRI model, trained together from few annotated scans of different patients; "
        "all scans are synthetic phantoms."
    )
    report.write_page(folders.report, report.page("Segmentation of CT and MRI, trained together", lead, sections))


def _results(folders: Folders, jobs: Sequence[Job]) -> Markup:
    scores = pd.concat([pd.read_csv(job.folder / SCORES) for job in jobs], ignore_index=True)
    organs = list(dict.fromkeys(scores["organ"]))
    sentences, rows = [], []
    for modality, of_modality in scores.groupby("modality", sort=False):
        means = {}
        for method, of_method in of_modality.groupby("method", sort=False):
            dice = of_method.groupby("organ", sort=False)["dice"].mean().reindex(organs)
            means[method] = of_method["dice"].mean()
            rows.append([modality, method, *(f"{value:.3f}" for value in (*dice, means[method]))])
        values = ", ".join(f"{method} {value:.3f}" for method, value in means.items())
        sentences.append(f"{modality} (n = {of_modality['case'].nunique()}): {values}.")
    page = folders.benchmark / "report.html"
    return report.section(
        "Results on the test scans",
        report.paragraph("Mean Dice over scans and organs. " + " ".join(sentences)),
        report.table(["modality", "method", *(o.replace("_", " ") for o in organs), "mean"], rows, text_columns=2),
        Markup('<p>Intervals, tests, surface distances, worst cases and cost: <a href="{}">{}</a>.</p>').format(
            page.relative_to(folders.root).as_posix(), "the report of the benchmark"
        ),
        report.paragraph(
            "One short training of each method with one seed, on synthetic bodies: this shows that the whole path "
            "works, and is no measure of how the methods compare on patients. Most of the difference is due to random "
            "organ contrast, an augmentation that any method can have (docs/method/results.md).",
            "note",
        ),
    )


def _overlays(folders: Folders, jobs: Sequence[Job]) -> Markup:
    path = folders.pictures / "overlays.png"
    draw_overlays(jobs, path)
    caption = (
        f"The first {SHOWN} test scans of each modality by name, not chosen by result. Filled: truth and predictions; "
        "white line: the truth. The patient's right is on the left of the picture."
    )
    return report.section("Scans, truth and predictions", report.picture(path, caption))


def _model(folders: Folders, jobs: Sequence[Job]) -> Markup:
    (job,) = (job for job in jobs if job.cell.method == MASS)
    branches, registration = (folders.pictures / f"{name}.png" for name in ("branches", "registration"))
    draw_model(job, branches, registration)
    tested = job.tested[0]
    case = tested.dataset.cases(TEST)[0]
    page = folders.root / "visualize.html"
    words = ["-d", tested.dataset.id, case, "-f", job.fold, "-device", job.grid.device, "-o", page]
    return report.section(
        f"What {MASS} makes of a scan",
        report.picture(branches, f"{case}: the truth, and what each branch of the model predicts."),
        report.picture(
            registration,
            "The annotated atlas that matches the scan best, before and after its deformation to the scan, and its "
            "labels propagated by the same displacement field. Jacobian determinant: blue where the atlas grows "
            "(below 1), red where it shrinks (above 1), black where it folds.",
        ),
        report.paragraph("The same pictures of any scan:"),
        report.code([shlex.join(["mass_nnunet", "visualize", *map(str, words)])]),
    )


def _training(folders: Folders, jobs: Sequence[Job]) -> Markup:
    curves = folders.pictures / "curves.png"
    draw_curves(jobs, curves)
    parts = [report.picture(curves, "Loss, and Dice on patches of the validation scans, by epoch.")]
    for job in jobs:
        terms = fold_folder(job, job.trainings[0][0]) / "mass_terms.png"
        if terms.is_file():
            caption = f"Each term of the objective of {job.cell.method} before its weight, by epoch."
            parts.append(report.picture(terms, caption))
    return report.section("Training", *parts)


def _data(settings: Settings, jobs: Sequence[Job]) -> Markup:
    rows = []
    for tested in jobs[0].tested:
        fold = load_fold(dataset_folder("preprocessed", tested.dataset.id), jobs[0].fold)
        counts = (len(part) for part in (fold.train, fold.unlabelled, fold.val, tested.dataset.cases(TEST)))
        rows.append([tested.modality, *counts])
    return report.section(
        "Data",
        report.paragraph(
            f"Synthetic abdomens of seed {settings.seed}, {' × '.join(map(str, settings.size))} voxels (z, y, x), "
            f"every scan of another patient. {LABELS_ALONE} learns from the labelled scans of both modalities, with "
            f"the optimizer and the steps of {MASS}, which has the unlabelled scans without their labels besides."
        ),
        report.table(["modality", "labelled", "unlabelled", "validation", "test"], rows),
    )


def _commands(folders: Folders, jobs: Sequence[Job], steps: Sequence[Step]) -> Markup:
    grid = folders.grid.read_text(encoding="utf-8").splitlines()
    lines = export_lines(folders.environment(jobs[0].grid))
    return report.section(
        "The commands",
        report.code([*lines, "", *(shlex.join(step.command) for step in steps)]),
        report.paragraph(f"{folders.grid.name}, the grid of the benchmark:"),
        report.code(grid),
        report.paragraph("What the benchmark does with this grid, in nnU-Net's own commands:"),
        report.code([line for job in jobs for line in commands(job)]),
    )


def _cost(steps: Sequence[Step], seconds: Mapping[str, float]) -> Markup:
    timing = [[step.name.replace("_", " "), f"{seconds[step.name]:.0f}"] for step in steps]
    return report.section(
        "Time and environment",
        report.table(["step", "seconds"], [*timing, ["all", f"{sum(seconds.values()):.0f}"]]),
        report.paragraph("A step that was interrupted counts from its last start.", "note"),
        report.table(["environment", ""], report.versions()),
    )
