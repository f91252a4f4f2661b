"""Run the steps as child processes, with a log each; what is done is not done again."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.errors import UserError
from mass_nnunet.runtime import child

from .steps import Step

_EPOCH = re.compile(r"Epoch (\d+) *$", re.MULTILINE)
_DICE = re.compile(r"Pseudo dice \[(.*)\]")
_NUMBER = re.compile(r"(?<![\w.])\d\.\d+")
_POLL = 0.5  # seconds


class Runner:
    """Runs steps in a folder; a second call goes on where the first was killed.

    ``.done/NAME.json`` is written when a step starts, with its command line and those of all steps before it, and
    again with its seconds when it is finished. A step counts as done only while these command lines are unchanged.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.markers = root / ".done"
        self.logs = root / "logs"
        # Not resolved: the python of a virtual environment is a link, and its commands lie beside the link.
        self.programs = Path(sys.executable).parent
        self.environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        if root.is_dir() and any(root.iterdir()) and not self.markers.is_dir():
            raise UserError(f"{root} is not empty, and not of an earlier demo: name another folder")
        for folder in (self.markers, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    def run(self, steps: Sequence[Step]) -> dict[str, float]:
        """Run all steps that are not done, and return the seconds that each took.

        Raises:
            UserError: a command failed; the last lines of its log are printed before.
        """
        seconds = {}
        for number, step in enumerate(steps):
            before = [shlex.join(earlier.command) for earlier in steps[: number + 1]]
            title = f"[{number + 1:2d}/{len(steps)}]"
            print(f"{title} $ {shlex.join(step.command)}", flush=True)
            seconds[step.name] = self._run_unless_done(step, before, title)
        return seconds

    def _run_unless_done(self, step: Step, commands: list[str], title: str) -> float:
        marker = self.markers / f"{step.name}.json"
        known = read_json(marker, "remove it") if marker.is_file() else None
        same = known is not None and known["commands"] == commands
        if same and known["seconds"] is not None:
            print("        already done", flush=True)
            return known["seconds"]
        if known is not None and not same:
            # A marker tells that the demo wrote these; nothing else is ever removed.
            for output in step.outputs:
                shutil.rmtree(output, ignore_errors=True)
        write_json(marker, {"commands": commands, "seconds": None})
        # nnU-Net prefers the final checkpoint to the latest, and that to the best.
        goes_on = same and step.fold is not None and any(step.fold.glob("checkpoint_*.pth"))
        start = time.monotonic()
        self._execute(step, [*step.command, "--c"] if goes_on else list(step.command), title, append=same)
        seconds = time.monotonic() - start
        write_json(marker, {"commands": commands, "seconds": seconds})
        print(f"        {'continued, ' if goes_on else ''}{seconds:.0f} s", flush=True)
        return seconds

    def _execute(self, step: Step, command: list[str], title: str, append: bool) -> None:
        log = self.logs / f"{step.name}.log"
        beside = self.programs / command[0]
        # Without a virtual environment pip puts commands elsewhere, on the PATH.
        program = str(beside) if beside.is_file() else shutil.which(command[0])
        if program is None:
            raise UserError(f"{beside} does not exist: install the package into this environment with pip")
        with log.open("ab" if append else "wb") as output:
            position = output.tell()
            process = child.start([program, *command[1:]], output, self.environment)
            try:
                status = _watch(process, log, position, step, title)
            except BaseException:
                child.stop(process)
                raise
        if status != 0:
            print("\n".join(f"        | {line}" for line in child.last_lines(log)), file=sys.stderr)
            end = child.how_it_ended(status)
            raise UserError(f"step {step.name} {end}: its last lines are above, all are in {log}")


def _watch(process: subprocess.Popen, log: Path, position: int, step: Step, title: str) -> int:
    """Show how far the command is until it ends; returns its exit status."""
    live = sys.stderr.isatty()
    form = None if step.epochs else "{desc} {elapsed}"
    bar = tqdm(
        total=step.epochs or None,
        desc=f"{title} {step.name}",
        unit="epoch",
        bar_format=form,
        leave=False,
        disable=not live and not step.epochs,
        mininterval=_POLL if live else 15,  # a log of the demo itself should stay short
    )
    with bar, log.open("rb") as lines:
        lines.seek(position)
        text = ""
        while True:
            try:
                status = process.wait(_POLL)
            except subprocess.TimeoutExpired:
                status = None
            # Only what is new, and the last lines before it: one may have been written in part.
            text = text[-500:] + lines.read().decode(errors="replace")
            if epochs := _EPOCH.findall(text):
                bar.update(int(epochs[-1]) - bar.n)
            if dices := _DICE.findall(text):
                values = [float(value) for value in _NUMBER.findall(dices[-1])]
                bar.set_postfix_str(f"Dice of patches {sum(values) / max(1, len(values)):.2f}", refresh=False)
            if live:
                bar.refresh()
            if status is not None:
                return status
