"""What the methods of a report cost: time and memory of training and prediction, and what a Dice cost to reach."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from mass_nnunet.evaluation.metrics import DICE
from mass_nnunet.hyperparameters import INFERENCES

from .formats import Entry, Table
from .results import ALL_ORGANS, Results

DICE_LEVELS = (0.6, 0.8)
"""Levels of Dice on validation patches; the report gives the training time until each level."""


COURSE_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of Dice on validation patches in the table of what they cost; those that no method reached are left out."""


@dataclass(frozen=True)
class Course:
    """The course of a method's trainings at one label rate, on one kind of device.

    Attributes:
        method: name of the method, without the inference.
        label_rate: label rate.
        device: device of the trainings.
        curves: of each cell, (epochs, 3): steps and seconds of training until the end of an epoch, and the Dice of its
            validation patches.
        test: Dice of the test scans with the final models, the mean over modalities of the mean over patients.
    """

    method: str
    label_rate: float
    device: str
    curves: tuple[np.ndarray, ...]
    test: float

    @property
    def mean(self) -> np.ndarray:
        """The mean of the curves, as far as the shortest of them reaches."""
        length = min(len(curve) for curve in self.curves)
        return np.mean([curve[:length] for curve in self.curves], axis=0)


def courses(results: Results, numbers: pd.DataFrame) -> list[Course]:
    """The course of each method at each label rate, as far as the cells tell it.

    Args:
        results: results of the grid.
        numbers: Dice from comparison.py.
    """
    first = {trainer: method for method, trainer in reversed(list(results.trainers.items()))}  # by the head, if it is
    means = numbers[numbers["organ"] == ALL_ORGANS].groupby(["method", "label_rate"])["mean"].mean()
    found: dict[tuple[str, float, str], list[np.ndarray]] = defaultdict(list)
    for device, method, _ in _by_device(results):
        for cell in results.done:
            record = results.records[cell]
            if cell.method == method and device_of(record) == device and record.get("course"):
                found[method, cell.label_rate, device].append(np.array(record["course"], dtype=float))
    return [Course(*key, tuple(curves), float(means[first[key[0]], key[1]])) for key, curves in found.items()]


def course_table(known: Sequence[Course]) -> Table:
    """Training time and steps until levels of Dice on validation patches, and the Dice of the test scans at the end."""
    levels = [level for level in COURSE_LEVELS if any((c[:, 2] >= level).any() for one in known for c in one.curves)]
    devices = len({course.device for course in known})
    groups: dict[str, list[list[Entry]]] = defaultdict(list)
    for course in sorted(known, key=lambda one: (one.label_rate, one.device)):
        title = f"{100 * course.label_rate:g} % of the labels" + (f", {course.device}" if devices > 1 else "")
        ends = np.array([curve[-1] for curve in course.curves])
        entries = [
            Entry(course.method),
            Entry(f"{ends[:, 0].mean():.0f}"),
            _cost(list(ends[:, 1]), _duration),
            Entry(DICE.text(ends[:, 2].mean())),
            Entry(DICE.text(course.test) if np.isfinite(course.test) else "–"),
        ]
        groups[title].append([*entries, *(_until(course.curves, level) for level in levels)])
    header = ["method", "steps", "training", "validation Dice, last epoch", "test Dice"]
    text = "Training time and steps until the Dice of validation patches first reached a level: mean over cells"
    return Table([*header, *(f"to {level:g}" for level in levels)], list(groups.items()), text)


def _until(curves: Sequence[np.ndarray], level: float) -> Entry:
    """Mean time, and mean steps as a note, until a level, over the cells that reached it."""
    reached = [curve[np.argmax(curve[:, 2] >= level)] for curve in curves if (curve[:, 2] >= level).any()]
    if not reached:
        return Entry("never")
    steps, seconds, _ = np.mean(reached, axis=0)
    missed = len(curves) - len(reached)
    note = f"{steps:.0f} steps" + (f", {missed} of {len(curves)} never" if missed else "")
    return Entry(_duration(seconds), note)


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
    devices = dict.fromkeys(device_of(results.records[cell]) for cell in results.done)
    for device, method in product(devices, results.grid.methods):
        all_records = [results.records[cell] for cell in results.done if cell.method == method]
        if records := [record for record in all_records if device_of(record) == device]:
            yield device, method, records


def _titled(groups: dict[str, list[list[Entry]]]) -> list[tuple[str, list[list[Entry]]]]:
    """The groups with their devices as titles; one group alone has no title."""
    return [(device if len(groups) > 1 else "", rows) for device, rows in groups.items()]


def device_of(record: dict[str, Any]) -> str:
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
