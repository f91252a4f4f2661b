"""Time and memory of `mass_nnunet quality` on copies of two synthetic scans: does memory grow with their number?

    python experiments/quality_load.py work                  # 20 and 200 predictions
    python experiments/quality_load.py work --scans 20 50

Measured as in load.py. The grid is coarser than that of the command, and the registration shorter: what counts is the
growth.
"""

import argparse
import shutil
from functools import partial
from pathlib import Path

import pytest

from load import measured  # which puts tests/helpers on the path
from mass_nnunet.cli import main as mass_nnunet
from quality_world import TEST, make_quick, make_world


def write_scans(root: Path, scans: int) -> list[str]:
    """Write the dataset and so many predictions below ``root``, and return the words of the command."""
    world = make_world(root)
    images, predictions = root / "images", root / "predictions"
    images.mkdir()
    predictions.mkdir()
    for number in range(scans):
        case = TEST[number % len(TEST)]
        shutil.copy(world.raw / "imagesTs" / f"{case}_0000.nii.gz", images / f"scan{number:04d}_0000.nii.gz")
        shutil.copy(world.raw / "labelsTs" / f"{case}.nii.gz", predictions / f"scan{number:04d}.nii.gz")
    output = str(root / "quality")
    return ["quality", str(predictions), "--images", str(images), "-d", "801", "-o", output, "--pictures", "5"]


def judge(words: list[str]) -> object:
    """The command on a coarse grid."""
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        return mass_nnunet(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="its subfolder quality_load is deleted and written")
    parser.add_argument("--scans", type=int, nargs="+", default=[20, 200])
    args = parser.parse_args()
    for scans in args.scans:
        root = args.folder.resolve() / "quality_load" / str(scans)
        shutil.rmtree(root, ignore_errors=True)
        words = write_scans(root, scans)
        seconds, megabytes = measured(root, partial(judge, words), root / "measured.json")
        print(f"{scans} scans: {seconds:.0f} s, {megabytes:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
