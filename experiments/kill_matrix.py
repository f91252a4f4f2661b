"""Break every phase of every command, and run the command again: does it come to the same end?

    python experiments/kill_matrix.py work                                 # all cells, 2 to 3 hours on one core
    python experiments/kill_matrix.py work --commands plan train --faults "kill -9"
    python experiments/kill_matrix.py work --table docs/experiments/kill_matrix.md

Results are kept in work/results.jsonl, and cells that are there are not repeated. The table is printed, or put between
the marks of a page. On Linux.
"""

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1", OMP_NUM_THREADS="1", GOMP_SPINCOUNT="0")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from faults import FAULTS
from kill_cells import Scene
from kill_commands import COMMANDS

PATIENCE = 900.0
"""Seconds after which a command counts as hung; on a machine that is shared, a training of a minute takes ten."""
MARKS = ("<!-- matrix -->", "<!-- end of the matrix -->")


def known(file: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Results of earlier runs, the last one of each cell."""
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {(row["command"], row["phase"], row["fault"]): row for row in rows}


def measure(folder: Path, commands: Iterable[str], faults: Iterable[str]) -> None:
    """Do the cells that are not known yet."""
    results = folder / "results.jsonl"
    done = known(results)
    todo = [
        (command, point, fault)
        for command in COMMANDS
        if command.name in commands
        for point in command.points
        for fault in faults
        if (command.name, point.phase, fault) not in done
    ]
    if not todo:
        return
    shutil.rmtree(folder / "scene", ignore_errors=True)
    (folder / "scene").mkdir(parents=True)
    scene = Scene(folder / "scene", PATIENCE)
    scene.prepare({command.name for command, _, _ in todo})
    for command, point, fault in todo:
        found = scene.cell(command, point, fault)
        row = {"command": command.name, "phase": point.phase, "fault": fault, "told": found.told, "same": found.same}
        row |= {"wrong": found.wrong, "torn": found.torn, "lost": found.lost, "again": found.again.status}
        row |= {"first_output": found.first.output[-2000:], "again_output": found.again.output[-2000:]}
        with results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{command.name}, {point.phase}, {fault}: {found.told}, {'same' if found.same else 'OTHER'}", flush=True)


def table(rows: dict[tuple[str, str, str], dict[str, Any]]) -> str:
    """Phase x fault as Markdown: how the command ended, and whether the next run came to the same end."""
    lines = [f"| command | phase | {' | '.join(FAULTS)} |", "|---|---|" + "---|" * len(FAULTS)]
    for command in COMMANDS:
        for point in command.points:
            cells = [rows.get((command.name, point.phase, fault)) for fault in FAULTS]
            texts = ["–" if cell is None else _text(cell) for cell in cells]
            lines.append(f"| {command.name} | {point.phase} | {' | '.join(texts)} |")
    ends = Counter(_text(row).partition(",")[0] for row in rows.values())
    same = sum(row["same"] for row in rows.values())
    lines += [
        "",
        f"{len(rows)} cells, {same} of them with the same end; " + ", ".join(f"{n} {e}" for e, n in ends.items()),
    ]
    return "\n".join(lines)


def _text(cell: dict[str, Any]) -> str:
    return cell["told"] if cell["same"] or cell["told"] == "not reached" else f"{cell['told']}, **another end**"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the scene and the results")
    names = [command.name for command in COMMANDS]
    parser.add_argument("--commands", nargs="+", choices=names, default=names)
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--table", type=Path, help="page with marks, between which the table is put")
    args = parser.parse_args()
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    measure(folder, args.commands, args.faults)
    rows = known(folder / "results.jsonl")
    text = table(rows)
    if args.table is None:
        print(text)
    else:
        page = args.table.read_text(encoding="utf-8")
        before, rest = page.split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        args.table.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")
    return int(not all(row["same"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
