"""The provenance of a report's numbers: cells, cost, machines, versions, plans and splits."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from markupsafe import Markup

from mass_nnunet.benchmark.run.job import Job, Tested
from mass_nnunet.benchmark.run.state import DONE, FAILED
from mass_nnunet.data.files import read_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TEST
from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.reporting import html as report

from .formats import Entry, Table
from .results import Results

DICE_LEVELS = (0.6, 0.8)
"""Levels of Dice on validation patches; the report gives the training time until each level."""


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


def cost_table(results: Results) -> Table:
    """Training time and memory of each method: mean and range over its cells.

    The methods are grouped by device, because times on different devices are not comparable.
    """
    groups = defaultdict(list)
    for device, method, records in _by_device(results):
        training = _cost([record.get("training_seconds") for record in records], _duration)
        courses = [record["validation"] for record in records if "validation" in record]
        reached = [_reached(courses, level) for level in DICE_LEVELS]
        memory = [
            _cost([record.get(key) for record in records], lambda value: f"{value / 1024:.1f}")
            for key in ("peak_memory_mb", "peak_gpu_memory_mb")
        ]
        groups[device].append([Entry(method), Entry(str(len(records))), training, *reached, *memory])
    levels = [f"to Dice {level:g}" for level in DICE_LEVELS]
    header = ["method", "cells", "training", *levels, "memory (GiB)", "GPU memory (GiB)"]
    return Table(header, _titled(groups), "Training: mean (smallest to largest) over label rates and seeds")


def prediction_table(results: Results) -> Table:
    """Seconds to predict a scan by method and inference (rows) and modality (columns), in groups by device."""
    modalities = list(results.scores["modality"].unique())
    groups = defaultdict(list)
    for device, method, records in _by_device(results):
        times = [record.get("prediction_seconds_per_scan", {}) for record in records]
        for inference in INFERENCES:
            if known := [part[inference] for part in times if inference in part]:
                scans = [_cost([part.get(name) for part in known], lambda value: f"{value:.2g}") for name in modalities]
                groups[device].append([Entry(method), Entry(inference), *scans])
    header = ["method", "predicted by", *(f"s/scan, {modality}" for modality in modalities)]
    text = "Prediction: mean (smallest to largest) over label rates and seeds"
    return Table(header, _titled(groups), text, text_columns=2)


def _by_device(results: Results) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Each device and method with the records of their cells that are done."""
    devices = dict.fromkeys(_device(results.records[cell]) for cell in results.done)
    for device, method in product(devices, results.grid.methods):
        all_records = [results.records[cell] for cell in results.done if cell.method == method]
        if records := [record for record in all_records if _device(record) == device]:
            yield device, method, records


def _titled(groups: dict[str, list[list[Entry]]]) -> list[tuple[str, list[list[Entry]]]]:
    """The groups with their devices as titles; one group alone has no title."""
    return [(device if len(groups) > 1 else "", rows) for device, rows in groups.items()]


def _device(record: dict[str, Any]) -> str:
    """Device of a cell's training; "–" in records of older versions."""
    return record.get("trained_on", "–")


def _reached(courses: Sequence[Sequence[tuple[float, float]]], level: float) -> Entry:
    """Time until the validation Dice first reached ``level``: mean and range over the cells that reached it."""
    times = [next((seconds for seconds, dice in course if dice >= level), None) for course in courses]
    entry, missed = _cost(times, _duration), times.count(None)
    return replace(entry, note=f"{entry.note} {missed} of {len(times)} never".strip()) if missed else entry


def _cost(values: Sequence[float | None], show: Callable[[float], str]) -> Entry:
    """Mean and range of the values that are known."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    if not known:
        return Entry("–")
    low, high = show(min(known)), show(max(known))
    return Entry(show(float(np.mean(known))), f"({low} to {high})" if low != high else "")


def _duration(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def environments(results: Results) -> Markup:
    """Tables of versions and machines, one per software environment of the cells."""
    found: dict[tuple, list[dict]] = defaultdict(list)
    for cell in results.done:
        record = results.records[cell]
        versions = {"trained on": _device(record), **record.get("versions", {})}
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


def schedule(jobs: Sequence[Job]) -> str:
    """A sentence with epochs, steps and patch size, from the plans of the first dataset."""
    patch, spacing, epochs, iterations = _plan(jobs[0], jobs[0].tested[0])
    return f"Trained for {epochs} epochs of {iterations} steps, with patches of {patch} voxels of {spacing} mm."


def _plan(job: Job, tested: Tested) -> tuple[str, str, int | str, int | str]:
    """Patch size, spacing, epochs and iterations of a dataset's plans."""
    grid = job.grid
    content = read_json(dataset_folder("preprocessed", tested.dataset.id) / f"{grid.plans}.json", "plan again")
    configuration, mass = content["configurations"][grid.configuration], content["mass"]
    sizes = (configuration.get(key, []) for key in ("patch_size", "spacing"))
    patch, spacing = (" × ".join(f"{value:.3g}" for value in values) for values in sizes)
    return patch, spacing, mass.get("epochs", "–"), mass.get("iterations", "–")


def plans(jobs: Sequence[Job]) -> Markup:
    """HTML table of the main entries of each dataset's plans."""
    rows = []
    for tested in jobs[0].tested:
        rows.append([tested.dataset.name, tested.modality, *_plan(jobs[0], tested), len(tested.dataset.cases(TEST))])
    header = ["dataset", "modality", "patch (z, y, x)", "spacing (mm)", "epochs", "iterations", "test scans"]
    return report.table(header, rows, text_columns=2)


def splits(jobs: Sequence[Job]) -> Markup:
    """HTML table of the numbers of cases in each fold, and the names of the cases in a fold-out."""
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
