"""Time of our evaluation, with Dice, surface Dice and distances, relative to nnU-Net's, which has Dice only.

    python experiments/evaluation.py

Synthetic label maps have the sizes of a CT and of CHAOS's MRI; predictions are the truth, deformed by some millimetres.
Both programs get the same files in turn; ratios are of medians. The time of a case is that of a worker, with reading;
the time of a command includes its start. Times are processor times, which depend less on other load of the machine than
clock times. Runs on Linux and macOS; Windows does not report the usage of a child process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from nnunetv2.evaluation.evaluate_predictions import compute_metrics
from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient

from mass_nnunet.evaluation.scores import Rules, evaluate_case
from mass_nnunet.labels import LABELS
from mass_nnunet.phantom.patient import make_patient

if TYPE_CHECKING:
    import resource  # Windows has none

SIZES = {"CT": (100, 512, 512), "MRI": (36, 256, 256)}
SYNTHETIC = {"CT": (50, 256, 256), "MRI": (36, 256, 256)}  # label maps that are magnified to the sizes
BEND = 3.0
"""Standard deviation of the control points of the displacement field that deforms a prediction, in mm."""
OURS = [sys.executable, "-m", "mass_nnunet.cli", "evaluate"]
STOCK = "from nnunetv2.evaluation.evaluate_predictions import evaluate_simple_entry_point as run; run()"


def make_label_maps(folder: Path, modality: str, cases: int) -> None:
    """Write the folders ``truth`` and ``predictions`` into ``folder``."""
    for part in ("truth", "predictions"):
        (folder / part).mkdir(parents=True)
    for case in range(cases):
        scan = next(iter(make_patient(0, case, modality, SYNTHETIC[modality]).scans.values()))
        label = sitk.GetImageFromArray(scan.organs)
        label.SetSpacing(scan.spacing)
        bend = sitk.BSplineTransformInitializer(label, [6, 6, 6])
        bend.SetParameters(np.random.default_rng(case).normal(0, BEND, len(bend.GetParameters())).tolist())
        factors = [new // old for new, old in zip(SIZES[modality], SYNTHETIC[modality], strict=True)]
        for part, transform in (("truth", sitk.Transform()), ("predictions", bend)):
            made = sitk.Resample(label, label, transform, sitk.sitkNearestNeighbor)
            made = sitk.Expand(made, factors[::-1], sitk.sitkNearestNeighbor)
            sitk.WriteImage(made, str(folder / part / f"{case}.nii.gz"), True)
    content = json.dumps({"labels": LABELS, "file_ending": ".nii.gz"})
    (folder / "predictions" / "dataset.json").write_text(content)


def compare_case(folder: Path, repeats: int) -> None:
    """Print the seconds of one case in this process, and their ratio."""
    truth, prediction = (folder / part / "0.nii.gz" for part in ("truth", "predictions"))
    values = [value for value in LABELS.values() if value]
    reader = NibabelIOWithReorient()
    rows = evaluate_case(prediction, truth, Rules(LABELS))
    print("  Dice " + ", ".join(f"{row['dice']:.2f}" for row in rows) + f"; HD95 {rows[-1]['hd95']:.1f} mm (liver)")

    def seconds(action: Callable[[], object]) -> float:
        start = time.process_time()
        action()
        return time.process_time() - start

    ours, stock = [], []
    for _ in range(repeats):
        ours.append(seconds(lambda: evaluate_case(prediction, truth, Rules(LABELS))))
        stock.append(seconds(lambda: compute_metrics(str(truth), str(prediction), reader, values)))
    _print("a case", ours, stock)


def compare_commands(folder: Path, repeats: int, processes: int) -> None:
    """Print the seconds of the two commands on the folder, their ratio, and the memory of our largest process."""
    ends = ["-np", str(processes)]
    truth, predictions = str(folder / "truth"), str(folder / "predictions")
    values = [str(value) for value in LABELS.values() if value]
    ours, stock = [], []
    for _ in range(repeats):
        ours.append(_run([*OURS, predictions, truth, *ends]))
        stock.append(_run([sys.executable, "-c", STOCK, truth, predictions, "-l", *values, *ends]))
    what = f"the command, {len(list(Path(truth).iterdir()))} cases, {processes} processes"
    _print(what, [usage.ru_utime + usage.ru_stime for usage in ours], [u.ru_utime + u.ru_stime for u in stock])
    print(f"  largest process: ours {_gigabytes(ours):.2f} GB, nnU-Net {_gigabytes(stock):.2f} GB")


def _run(command: list[str]) -> "resource.struct_rusage":
    """Run a command to its end, and return the resource usage of it and its workers."""
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            printed.seek(0)
            sys.exit(printed.read().decode())
    return usage


def _gigabytes(usages: "list[resource.struct_rusage]") -> float:
    return max(usage.ru_maxrss for usage in usages) / 1e6


def _print(what: str, ours: list[float], stock: list[float]) -> None:
    seconds = median(ours), median(stock)
    ratio = seconds[0] / seconds[1]
    print(f"  {what}: ours {seconds[0]:.2f} s, nnU-Net {seconds[1]:.2f} s, {ratio:.2f} times", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=4, help="of each modality (default 4)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-np", type=int, default=2, help="processes of the commands")
    args = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    with tempfile.TemporaryDirectory() as root:
        for modality, size in SIZES.items():
            folder = Path(root) / modality
            # In a process of its own: those started later inherit the peak of memory of this one.
            with ProcessPoolExecutor(1) as executor:
                executor.submit(make_label_maps, folder, modality, args.cases).result()
            print(f"{modality}, {' x '.join(map(str, size))} voxels", flush=True)
            compare_commands(folder, args.repeats, args.np)
            compare_case(folder, args.repeats)


if __name__ == "__main__":
    main()
