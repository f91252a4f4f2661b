"""Run the steps as child processes, each with a log; finished steps are not repeated."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mass_nnunet.data.files import atomic_path, read_json, write_json
from mass_nnunet.errors import UserError
from mass_nnunet.runtime import child

from .progress import watch
from .steps import Step

_PATIENCE = 2 * child.PATIENCE  # an interrupted benchmark ends its own step first


class Runner:
    """Runs steps in a folder; after an interruption, a second call continues.

    ``.done/NAME.json`` is written when a step starts, with all command lines up to its own and the files that they
    read, and again with its seconds when it is finished. A step counts as done only if these lines are unchanged.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.markers = root / ".done"
        self.logs = root / "logs"
        # Not resolved: the Python of a virtual environment is a link, and the commands are beside the link.
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
        seconds: dict[str, float] = {}
        lines: list[str] = []
        for number, step in enumerate(steps, start=1):
            lines += [shlex.join(step.command), *step.files.values()]
            title = f"[{number}/{len(steps)}]"
            print(f"{title} $ {shlex.join(step.command)}", flush=True)
            seconds[step.name] = self._run_unless_done(step, lines, title)
        return seconds

    def _run_unless_done(self, step: Step, lines: list[str], title: str) -> float:
        marker = self.markers / f"{step.name}.json"
        known = read_json(marker, "remove it") if marker.is_file() else {}
        is_same = known.get("commands") == lines
        if is_same and known["seconds"] is not None:
            print("      already done", flush=True)
            return known["seconds"]
        if known and not is_same:
            # The marker shows that the demo wrote these outputs; nothing else is ever removed.
            for output in step.outputs:
                shutil.rmtree(output, ignore_errors=True)
        write_json(marker, {"commands": lines, "seconds": None})
        for path, text in step.files.items():
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        more = step.again() if is_same else ()
        start = time.monotonic()
        self._execute(step, [*step.command, *more], title, append=is_same)
        seconds = time.monotonic() - start
        write_json(marker, {"commands": lines, "seconds": seconds})
        print(f"      {'continued, ' if is_same else ''}{seconds:.0f} s", flush=True)
        return seconds

    def _execute(self, step: Step, command: list[str], title: str, append: bool) -> None:
        log = self.logs / f"{step.name}.log"
        beside = self.programs / command[0]
        # Without a virtual environment pip puts commands elsewhere, on the PATH.
        program = str(beside) if beside.is_file() else shutil.which(command[0])
        if program is None:
            raise UserError(f"{beside} does not exist: install the package into this environment with pip")
        with log.open("ab" if append else "wb") as output:
            process = child.start([program, *command[1:]], output, self.environment, apart=True)
            try:
                status = watch(process, step, title)
            except BaseException:
                child.stop(process, _PATIENCE)
                raise
        if status != 0:
            print("\n".join(f"      | {line}" for line in child.last_lines(log)), file=sys.stderr)
            end = child.how_it_ended(status)
            raise UserError(f"step {step.name} {end}: its last lines are above, all are in {log}")
