"""The progress of a grid and the time left, computed from the files only, with or without running workers."""

import time
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from .grid import Cell, Grid
from .state import DONE, FAILED, INTERRUPTED, RUNNING, STATES, WAITING, read_record, state


def describe_progress(grid: Grid) -> str:
    """Text with a table of the cells by method (rows) and label rate (columns), and the running and failed cells."""
    states = {cell: state(grid.output / "cells" / cell.name) for cell in grid.cells}
    records = {cell: read_record(grid.output / "cells" / cell.name) for cell in grid.cells}
    lines = [*_table(grid, states), "", _summary(states, records)]
    for cell in grid.cells:
        if states[cell] == RUNNING:
            record = records[cell]
            since = datetime.fromtimestamp(record["start"]).strftime("%Y-%m-%d %H:%M")
            lines.append(f"running: {cell.title}, on {record['host']} (pid {record['pid']}) since {since}")
        if states[cell] == FAILED:
            record = records[cell]
            where = record["log"] or grid.output / "cells" / cell.name
            lines.append(f"failed {record['failures']} x: {cell.title}: {record['error']} ({where})")
    return "\n".join(lines)


def seconds_left(states: dict[Cell, str], records: dict[Cell, dict[str, Any]], now: float) -> float | None:
    """Estimated seconds until all running and waiting cells are done; None if no cell is done yet.

    A cell is expected to take the mean time of its method's finished cells, or of all finished cells if its method has
    none. The number of simultaneous cells is that of the running cells, at least one. Failed cells do not count.
    """
    taken: dict[str, list[float]] = defaultdict(list)
    for cell, its_state in states.items():
        if its_state == DONE:
            taken[cell.method].append(records[cell]["seconds"])
    everything = [seconds for times in taken.values() for seconds in times]
    if not everything:
        return None
    left = 0.0
    for cell, its_state in states.items():
        if its_state in (RUNNING, WAITING, INTERRUPTED):
            known = taken.get(cell.method, everything)
            since = now - records[cell]["start"] if its_state == RUNNING else 0.0
            left += max(0.0, sum(known) / len(known) - since)
    return left / max(1, list(states.values()).count(RUNNING))


def _table(grid: Grid, states: dict[Cell, str]) -> list[str]:
    rows = [["method", *(f"{100 * rate:g} %" for rate in grid.label_rates)]]
    for method in grid.rows:
        row = [method]
        for rate in grid.label_rates:
            counts = Counter(states[Cell(method, rate, seed)] for seed in grid.seeds)
            row.append(_count(counts))
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _summary(states: dict[Cell, str], records: dict[Cell, dict[str, Any]]) -> str:
    counts = Counter(states.values())
    text = f"{len(states)} cells: {_count(counts)}"
    if counts[DONE] + counts[FAILED] == len(states):
        return text
    left = seconds_left(states, records, time.time())
    if left is None:
        return f"{text}; how long is left is known when the first is done"
    at_once = max(1, counts[RUNNING])
    return f"{text}; about {_duration(left)} left with {at_once} at a time"


def _count(counts: Counter) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in STATES if counts[name])


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
