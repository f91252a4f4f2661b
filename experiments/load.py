"""Time and memory of the commands on groups of many tiny scans: do they grow as the number of scans?

    python experiments/load.py work                      # 20, 200 and 2,000 scans of each modality
    python experiments/load.py work --scans 20 200
    python experiments/load.py work --scans 200 2000 --steps split "benchmark status"

Each command runs in a forked process, with one worker: the time is that of the processor without imports, and the
memory what it takes beside what the process had. nnU-Net's own fingerprint, which samples a hundred million voxels
however small the scans are, is made to sample ten thousand. On Linux.
"""

import argparse
import json
import math
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1", OMP_NUM_THREADS="1", GOMP_SPINCOUNT="0")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

import pytest

from forked import run_forked, without_new_processes
from kill_patches import import_everything
from mass_nnunet.cli import main
from quick_planning import sample_few_voxels
from scored_grid import write_scored
from tiny_group import CT, MRI, variables
from tiny_raw import write_raw_dataset

SHAPE = (8, 24, 24)
NETWORK = ("--spacing", "fit", "--patch-size", "8", "16", "16", "--features", "4", "--epochs", "2", "--iterations", "2")
STEPS: dict[str, tuple[str, ...]] = {
    "check": ("check", "-d", "801", "802", "-np", "1"),
    "split": ("split", "-d", "801", "802", "--label-rates", "0.1", "0.5", "1.0", "--seeds", "3"),
    "plan, preprocess": ("plan", "-d", "801", "802", *NETWORK, "-np", "1"),
    "plan again": ("plan", "-d", "801", "802", *NETWORK, "-np", "1", "--no-preprocess"),
    "suggest": ("suggest", "-d", "801", "802", "-o", "{}/suggestion.html", "-np", "1"),
    "benchmark status": ("benchmark", "status", "{}/out"),
    "benchmark report": ("benchmark", "report", "{}/out"),
}


def write_group(root: Path, scans: int) -> None:
    """Raw datasets with as many scans each: a tenth to test on, a fifth without labels."""
    for name, letter, channel, seed in ((CT, "ct", "CT", 0), (MRI, "mr", "MRI", 1)):
        names = [f"{letter}{number:05d}" for number in range(scans)]
        test, hidden = scans // 10, scans // 5
        parts = (names[test + hidden :], names[test : test + hidden], names[:test])
        write_raw_dataset(root / "raw", name, channel, *parts, shape=SHAPE, seed=seed)


def measured(root: Path, action: Callable[[], object], into: Path) -> tuple[float, float]:
    """Seconds of the processor and megabytes of an action in a process of its own."""

    def begin() -> object:
        patch = pytest.MonkeyPatch()
        for name, value in variables(root).items():
            patch.setenv(name, value)
        without_new_processes(patch)
        sample_few_voxels(patch)
        before, start = _peak(), time.process_time()
        status = action()
        into.write_text(json.dumps([time.process_time() - start, _peak() - before]))
        return status

    outcome = run_forked(begin, patience=3600)
    if outcome.status != 0:
        raise SystemExit(outcome.output[-3000:])
    seconds, megabytes = json.loads(into.read_text())
    return seconds, megabytes


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def table(results: dict[int, dict[str, tuple[float, float]]]) -> str:
    """Seconds and megabytes of each command at each size, and by which power of the number of scans the time grows."""
    sizes = sorted(results)
    lines = [f"| command | {' | '.join(f'{size} scans' for size in sizes)} | time grows as |"]
    lines.append("|---|" + "---:|" * (len(sizes) + 1))
    for step in results[sizes[0]]:
        cells = [f"{results[size][step][0]:.1f} s, {results[size][step][1]:.0f} MB" for size in sizes]
        power = ""
        if len(sizes) > 1:
            (first, _), (last, _) = results[sizes[-2]][step], results[sizes[-1]][step]
            power = f"n^{math.log(last / first) / math.log(sizes[-1] / sizes[-2]):.2f}"
        lines.append(f"| {step} | {' | '.join(cells)} | {power} |")
    return "\n".join(lines)


def main_program() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="its subfolder load gets the groups; what is in that is deleted")
    parser.add_argument("--scans", type=int, nargs="+", default=[20, 200, 2000], help="of each modality")
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS), help="in this order (all)")
    args = parser.parse_args()
    import_everything()
    results: dict[int, dict[str, tuple[float, float]]] = {}
    for scans in args.scans:
        root = args.folder.resolve() / "load" / str(scans)
        shutil.rmtree(root, ignore_errors=True)
        write_group(root, scans)
        write_scored(root / "out", patients=scans)
        results[scans] = {}
        for step in args.steps:
            given = [word.replace("{}", str(root)) for word in STEPS[step]]
            seconds, megabytes = measured(root, partial(main, given), root / "measured.json")
            results[scans][step] = (seconds, megabytes)
            print(f"{scans} scans, {step}: {seconds:.1f} s, {megabytes:.0f} MB", flush=True)
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main_program())
