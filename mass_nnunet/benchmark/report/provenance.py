"""The provenance of a report's numbers: cells, machines, versions, plans and splits."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from mass_nnunet.benchmark.run.job import Job, Tested
from mass_nnunet.benchmark.run.state import DONE, FAILED
from mass_nnunet.data.files import read_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TEST
from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.reporting import html as report

from .cost import device_of
from .results import Results


def missing_cells(results: Results) -> Markup:
    """HTML list of the cells that are missing in the report, with reasons; empty if all cells are done."""
    others = [cell for cell, its_state in results.states.items() if its_state != DONE]
    if not others:
        return Markup()
    items = []
    for cell in others:
        record = results.records[cell]
        why = f": {record['error']}" if results.states[cell] == FAILED else ""
        items.append(f"{cell.title}: {results.states[cell]}{why}")
    count, all_cells = len(others), len(results.states)
    text = (
        f"{count} of the {all_cells} cells of the grid {'is' if count == 1 else 'are'} not in this report: a method "
        "with fewer seeds or patients is marked in the tables, and two methods are compared on what both have."
    )
    return report.macro("missing", text, items, count < 6, template="benchmark.html")


def environments(results: Results) -> Markup:
    """Tables of versions and machines, one per software environment of the cells."""
    found: dict[tuple, list[dict]] = defaultdict(list)
    for cell in results.done:
        record = results.records[cell]
        versions = {"trained on": device_of(record), **record.get("versions", {})}
        found[tuple(versions.items())].append(record)
    parts = []
    for environment, records in found.items():
        hosts = sorted({record["host"] for record in records if "host" in record})
        times = [record[key] for record in records for key in ("start", "end") if key in record]
        days = " to ".join(dict.fromkeys(_day(moment) for moment in (min(times), max(times)))) if times else "–"
        rows = [("cells", len(records)), ("machines", ", ".join(hosts) or "–"), ("done", days), *environment]
        parts.append(report.table(["environment", ""], rows, text_columns=2))
    return Markup("\n").join(parts)


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))


class PlanFacts(NamedTuple):
    """The main entries of the plans of a dataset, and the schedule of a method that is trained with them."""

    patch: str
    spacing: str
    epochs: int | str
    iterations: int | str


def trained(jobs: Sequence[Job]) -> list[Job]:
    """The jobs of methods that are trained."""
    return [job for job in jobs if job.external is None]


def schedule(jobs: Sequence[Job]) -> str:
    """Sentences with epochs, steps and patch size, from the plans of the first dataset."""
    methods: dict[PlanFacts, list[str]] = defaultdict(list)
    for job in _of_methods(jobs):
        methods[_plan(job, job.tested[0])].append(job.cell.method)
    sentences: list[str] = []
    for (patch, spacing, epochs, iterations), names in methods.items():
        who = f"{', '.join(names)}: trained" if sentences else "Trained"
        size = f"with patches of {patch} voxels of {spacing} mm"
        sentences.append(f"{who} for {epochs} epochs of {iterations} steps, {size}.")
    return " ".join(sentences)


def _of_methods(jobs: Sequence[Job]) -> list[Job]:
    """The first job of each method that is trained."""
    return list({job.cell.method: job for job in reversed(trained(jobs))}.values())[::-1]


def _plan(job: Job, tested: Tested) -> PlanFacts:
    method = job.method
    content = read_json(dataset_folder("preprocessed", tested.dataset.id) / f"{method.plans}.json", "plan again")
    configuration = content["configurations"][method.configuration]
    sizes = (configuration.get(key, []) for key in ("patch_size", "spacing"))
    patch, spacing = (" × ".join(f"{value:.3g}" for value in values) for values in sizes)
    if job.schedule is not None:
        return PlanFacts(patch, spacing, job.schedule.epochs, job.schedule.iterations)
    mass = content["mass"]
    return PlanFacts(patch, spacing, mass.get("epochs", "–"), mass.get("iterations", "–"))


def plans(jobs: Sequence[Job]) -> Markup:
    """HTML table of the main entries of each dataset's plans."""
    rows: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for tested_place, _ in enumerate(jobs[0].grid.datasets):
        for job in _of_methods(jobs):
            tested = job.tested[tested_place]
            facts = _plan(job, tested)
            key = (tested.dataset.name, tested.modality, job.method.plans, *facts, len(tested.dataset.cases(TEST)))
            rows[key].append(job.cell.method)
    alone = len(rows) == len(jobs[0].grid.datasets)
    header = ["dataset", "modality", "plans", "patch (z, y, x)", "spacing (mm)", "epochs", "iterations", "test scans"]
    body = [[*key, "all" if alone else ", ".join(names)] for key, names in rows.items()]
    return report.table([*header, "methods"], body, text_columns=3)


def splits(jobs: Sequence[Job]) -> Markup:
    """HTML table of the numbers of cases in each fold, and the names of the cases in a fold-out."""
    jobs = trained(jobs)
    rows, lists = [], []
    for rate, seed in dict.fromkeys((job.cell.label_rate, job.cell.seed) for job in jobs):
        job = next(job for job in jobs if (job.cell.label_rate, job.cell.seed) == (rate, seed))
        for tested in job.tested:
            fold = load_fold(dataset_folder("preprocessed", tested.dataset.id), job.fold)
            counts = [len(getattr(fold, part)) for part in ("train", "unlabelled", "val")]
            title = [tested.dataset.name, f"{100 * rate:g} %", seed, job.fold]
            rows.append([*title, *counts])
            name = f"{tested.dataset.name}, {100 * rate:g} % of the labels, seed {seed}"
            lists.append(_cases(name, _members(fold)))
    tests = [
        _cases(f"{tested.dataset.name}, test, the same for all", ", ".join(tested.dataset.cases(TEST)))
        for tested in jobs[0].tested
    ]
    header = ["dataset", "labels", "seed", "fold", "labelled scans", "unlabelled", "validation"]
    body = Markup("\n").join([*tests, *lists])
    return report.table(header, rows) + report.fold_out("The cases of each fold", body)


def _cases(title: str, text: str) -> Markup:
    return report.macro("cases", title, text, template="benchmark.html")


def _members(fold: Fold) -> str:
    parts = (("labelled", fold.train), ("validation", fold.val), ("unlabelled", fold.unlabelled))
    return "; ".join(f"{name}: {', '.join(cases) or 'none'}" for name, cases in parts)
