"""Read damaged inputs by the thousand: no traceback, no hang, no file outside of its folder, bounded memory.

    python experiments/fuzz.py work                          # 10,000 inputs of each kind, an hour on one core
    python experiments/fuzz.py work --kinds nifti zip --count 500
    python experiments/fuzz.py work --kinds splits --first 4711 --count 1     # one input again

On Linux.
"""

import argparse
import os
import shutil
import sys
import time
from collections import defaultdict
from pathlib import Path

os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1", OMP_NUM_THREADS="1", GOMP_SPINCOUNT="0")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from fuzz_documents import DatasetJson, GridYaml, Plans, Splits
from fuzz_files import Checkpoint, Dicom, Nifti, Zip
from fuzzing import Finding, fuzz
from tiny_group import make_group

TARGETS = (DatasetJson, Splits, Plans, GridYaml, Zip, Checkpoint, Nifti, Dicom)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="its subfolder fuzz gets the inputs; what is in that is deleted")
    names = [target.name for target in TARGETS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names)
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each kind (10,000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input (0)")
    args = parser.parse_args()
    folder = args.folder.resolve() / "fuzz"
    shutil.rmtree(folder, ignore_errors=True)
    found = 0
    planned = folder / "planned"
    if any(target.needs_plans for target in TARGETS if target.name in args.kinds):
        make_group(planned)
    for target in TARGETS:
        if target.name not in args.kinds:
            continue
        place = folder / target.name
        place.mkdir(parents=True)
        begin = time.monotonic()
        findings = fuzz(target, place, range(args.first, args.first + args.count), planned)
        found += len(findings)
        seconds = time.monotonic() - begin
        print(f"{target.name}: {args.count} inputs, {len(findings)} findings, {seconds:.0f} s", flush=True)
        tell(findings)
    return int(found > 0)


def tell(findings: list[Finding]) -> None:
    """Print each kind of finding once, with how often it is there, and the numbers of some of its inputs."""
    kinds = defaultdict(list)
    for finding in findings:
        kinds[finding.what].append(finding)
    for what, same in sorted(kinds.items(), key=lambda item: -len(item[1])):
        print(f"  {len(same)} x {what}, as in {', '.join(str(one.number) for one in same[:3])}")
        print("    " + "\n    ".join(same[0].text.strip().splitlines()[-4:]))


if __name__ == "__main__":
    sys.exit(main())
