"""Progress of a step: a bar on the terminal with the epochs in the logs of its trainings."""

import re
import subprocess
import sys
from pathlib import Path

from tqdm import tqdm

from .steps import Step

POLL = 0.5
"""Seconds between two readings of the logs."""
_EPOCH = re.compile(r"Epoch (\d+) *$", re.MULTILINE)
_EPOCH_END = "Epoch time"
_DICE = re.compile(r"Pseudo dice \[(.*)\]")
_NUMBER = re.compile(r"(?<![\w.])\d\.\d+")


def watch(process: subprocess.Popen, step: Step, title: str) -> int:
    """Show the progress of a step's command until it ends, and return its exit status."""
    live = sys.stderr.isatty()
    with tqdm(
        total=step.epochs or None,
        desc=f"{title} {step.name}",
        unit="epoch",
        bar_format=None if step.epochs else "{desc} {elapsed}",
        leave=False,
        disable=not live and not step.epochs,
        mininterval=POLL if live else 15,  # a log of the demo itself should stay short
    ) as bar:
        while True:
            try:
                status = process.wait(POLL)
            except subprocess.TimeoutExpired:
                status = None
            logs = sorted(step.cells.glob("*/*.log"), key=lambda log: log.stat().st_mtime) if step.cells else []
            if logs:
                trainings = [log.read_text(errors="replace") for log in logs if log.stem.startswith("train")]
                bar.set_description_str(f"{title} {_name(logs[-1])}", refresh=False)
                bar.set_postfix_str(patch_dice(trainings[-1]), refresh=False)
                bar.update(sum(map(epochs_done, trainings)) - bar.n)
            if live:
                bar.refresh()
            if status is not None:
                return status


def epochs_done(log: str) -> int:
    """Number of finished epochs in nnU-Net's log of a training; a resumed training counts no epoch twice."""
    begun = list(_EPOCH.finditer(log))
    return int(begun[-1][1]) + (_EPOCH_END in log[begun[-1].end() :]) if begun else 0


def patch_dice(log: str) -> str:
    """Text with the mean Dice of the last epoch's validation patches; empty before the end of the first epoch."""
    values = [float(value) for value in _NUMBER.findall((_DICE.findall(log) or [""])[-1])]
    return f"Dice of patches {sum(values) / len(values):.2f}" if values else ""


def _name(log: Path) -> str:
    """``MASSTrainer train_801_802`` for the log of a cell's step."""
    return f"{log.parent.name.partition('_')[0]} {log.stem}"
