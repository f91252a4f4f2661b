"""Time and memory of `mass_nnunet quality` on copies of two synthetic scans: does memory grow with their number?

    python experiments/quality_load.py work                  # 20 and 200 predictions
    python experiments/quality_load.py work --scans 20 50

Each number runs in a process of its own; the memory is its peak, with that of the imports. On Linux. The grid is
coarser than that of the command, and the registration shorter: what is measured is the growth.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

import pytest

from mass_nnunet.cli import main as mass_nnunet
from mass_nnunet.quality import alignment, corruption, grid
from mass_nnunet.registration import alignment as whole
from quality_world import TEST, make_world
from tiny_group import variables


def measure(root: Path, scans: int) -> None:
    """Judge so many predictions, and print seconds of the processor and megabytes."""
    world = make_world(root / "nnunet")
    images, predictions = root / "images", root / "predictions"
    images.mkdir()
    predictions.mkdir()
    for number in range(scans):
        case = TEST[number % len(TEST)]
        shutil.copy(world.raw / "imagesTs" / f"{case}_0000.nii.gz", images / f"scan{number:04d}_0000.nii.gz")
        shutil.copy(world.raw / "labelsTs" / f"{case}.nii.gz", predictions / f"scan{number:04d}.nii.gz")
    os.environ.update(variables(world.root))
    patch = pytest.MonkeyPatch()
    quick = ((grid, "EDGE", 10.0), (alignment, "STEPS", (2, 1)), (alignment, "STARTS", 1), (corruption, "COUNT", 4))
    for module, name, value in (*quick, (whole, "SCALES", (1.0,))):
        patch.setattr(module, name, value)
    before = time.process_time()
    output = str(root / "quality")
    mass_nnunet(["quality", str(predictions), "--images", str(images), "-d", "801", "-o", output, "--pictures", "5"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{scans} scans: {time.process_time() - before:.0f} s, {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--scans", type=int, nargs="+", default=[20, 200])
    args = parser.parse_args()
    if len(args.scans) > 1:
        for scans in args.scans:
            subprocess.run([sys.executable, __file__, args.root / str(scans), "--scans", str(scans)], check=True)
    else:
        measure(args.root, args.scans[0])


if __name__ == "__main__":
    main()
