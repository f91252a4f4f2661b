"""Time of each converter against plain reading and writing of the same files, and the memory of the largest case.

    python benchmarks/conversion.py SRC btcv -d 801 ...      # the words after `mass_nnunet convert`, SRC first

Plain reading and writing is what a conversion cannot do without: SimpleITK reads every source file and writes every
volume of the dataset, compressed, in one process and one thread. Both are measured in processor time, which other users
of the machine disturb less than the clock; the conversion runs once with one process and once with two.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.cli import main as mass_nnunet

ENDINGS = (".nii", ".nii.gz", ".dcm", ".png")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}


def plain(source: Path, dataset: Path) -> float:
    """Processor seconds of reading all source files, and of writing all volumes of the dataset."""
    volumes = [sitk.ReadImage(str(path)) for path in sorted(dataset.rglob("*.nii.gz"))]
    start = time.process_time()
    for path in sorted(source.rglob("*")):
        if path.name.lower().endswith(ENDINGS):
            sitk.ReadImage(str(path))
    with tempfile.TemporaryDirectory(dir=dataset) as folder:
        for volume in volumes:
            sitk.WriteImage(volume, f"{folder}/x.nii.gz", useCompression=True)
    return time.process_time() - start


def convert(words: list[str], processes: int, raw: Path) -> tuple[float, float, float]:
    """Seconds by the clock, processor seconds, and the memory in GB of the largest process of a conversion."""
    environment = os.environ | ONE_THREAD | {"nnUNet_raw": str(raw)}
    command = [sys.executable, __file__, "--child", *words, "-np", str(processes)]
    start = time.monotonic()
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    processor, memory = map(float, output.splitlines()[-1].split())
    return time.monotonic() - start, processor, memory


def child(words: list[str]) -> None:
    """The conversion, in a process of its own, so that the system counts for it and its workers alone."""
    if status := mass_nnunet(["convert", *words]):
        sys.exit(status)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(sum(u.ru_utime + u.ru_stime for u in usages), max(u.ru_maxrss for u in usages) / 1e6)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("words", nargs=argparse.REMAINDER, help="of `mass_nnunet convert`, without SRC")
    args = parser.parse_args()
    words = [args.words[0], str(args.source), *args.words[1:]]
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [(n, *convert(words, n, Path(folder) / str(n))) for n in (1, 2)]
        reference = plain(args.source, Path(folder) / "1")
    print(f"plain reading and writing: {reference:.2f} s of processor time")
    for processes, clock, processor, memory in rows:
        print(
            f"convert {words[0]}, {processes} process(es): {processor:.2f} s of processor time, "
            f"{processor / reference:.2f} times plain; {clock:.2f} s by the clock; largest process {memory:.2f} GB"
        )


if __name__ == "__main__":
    main()
