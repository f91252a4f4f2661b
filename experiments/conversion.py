"""Time of each converter relative to plain reading and writing of the same files, and memory of its largest process.

    python experiments/conversion.py                                  # all sources, synthetic, of full size
    python experiments/conversion.py --run path/to/CHAOS chaos -d 802  # one of yours: SRC, and the words of `convert`

Plain reading and writing is the minimum of a conversion: SimpleITK reads every file of SRC and writes every volume of
the dataset, compressed, in one thread. Times are processor times, which depend less on other load of the machine than
clock times. The time of a conversion includes its start, its check and its overview picture.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.cli import main as mass_nnunet
from mass_nnunet.phantom import chaos_tree
from mass_nnunet.phantom.patient import make_patient

ENDINGS = (".nii", ".nii.gz", ".dcm", ".png")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
SLICES = (100, 198)  # of the CTs, each 512 x 512; BTCV's have 85 to 198
SYNTHETIC = (48, 128, 128)  # voxels of the synthetic scans that they are magnified from
WORDS = {
    "btcv": ["-d", "801"],
    "chaos": ["-d", "802"],
    "amos": ["-d", "803", "804"],
    "mmwhs": ["-d", "805", "806"],
    "nifti": ["-d", "807", "--modality", "CT", "--labels", "spleen=1", "right_kidney=2", "left_kidney=3", "liver=6"],
}
# MM-WHS's values in the place of BTCV's 13.
HEART = np.array([0, 500, 600, 420, 0, 0, 550, 205, 820, 850, 0, 0, 0, 0], np.int16)


def magnified(patient: int, slices: int) -> tuple[sitk.Image, sitk.Image]:
    """A synthetic CT of full size and its labels, with noise, so that its file is as large as a real one."""
    scan = make_patient(0, patient, "CT", SYNTHETIC).scans["CT"]
    size = [512, 512, slices]
    pair = []
    arrays = {sitk.sitkLinear: scan.image.astype(np.float32), sitk.sitkNearestNeighbor: scan.btcv}
    for interpolator, array in arrays.items():
        volume = sitk.GetImageFromArray(array)
        volume.SetDirection(scan.direction)
        edges = [edge * old / new for edge, old, new in zip(scan.spacing, volume.GetSize(), size, strict=True)]
        volume.SetSpacing(scan.spacing)
        origin = volume.GetOrigin()
        pair.append(sitk.Resample(volume, size, sitk.Transform(), interpolator, origin, edges, scan.direction))
    noise = np.random.default_rng(patient).normal(0, 12, size[::-1])
    image = sitk.GetImageFromArray((sitk.GetArrayViewFromImage(pair[0]) + noise).astype(np.int16))
    image.CopyInformation(pair[0])
    return image, pair[1]


def make_trees(root: Path) -> None:
    """Write ``root/NAME`` for each source."""
    for number, slices in enumerate(SLICES, 1):
        image, label = magnified(number, slices)
        heart = sitk.GetImageFromArray(HEART[sitk.GetArrayViewFromImage(label)])
        heart.CopyInformation(label)
        part = "Va" if number == 1 else "Tr"
        for path, volume in {
            f"btcv/Training/img/img000{number}": image,
            f"btcv/Training/label/label000{number}": label,
            f"amos/images{part}/amos_000{number}": image,
            f"amos/labels{part}/amos_000{number}": label,
            f"amos/images{part}/amos_050{number}": image + 1,
            f"amos/labels{part}/amos_050{number}": label,
            f"mmwhs/ct_train/ct_train_100{number}_image": image,
            f"mmwhs/ct_train/ct_train_100{number}_label": heart,
            f"mmwhs/mr_train/mr_train_100{number}_image": image + 1,
            f"mmwhs/mr_train/mr_train_100{number}_label": heart,
            f"nifti/images/{number}": image,
            f"nifti/labels/{number}": sitk.Mask(label, sitk.Cast((label <= 3) | (label == 6), sitk.sitkUInt8)),
        }.items():
            file = root / f"{path}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(volume, str(file), True)
    for number in (1, 2, 3, 5):
        patient = make_patient(0, number, "MRI", (36, 256, 256))
        chaos_tree.write_patient(root / f"chaos/Train_Sets/MR/{number}", patient, labelled=True)


def plain(source: Path, raw: Path) -> float:
    """Processor seconds of reading all source files, and of writing all volumes of the datasets."""
    seconds = 0.0
    for path in sorted([*source.rglob("*"), *raw.rglob("*.nii.gz")]):
        if path.name.lower().endswith(ENDINGS):
            start = time.process_time()
            volume = sitk.ReadImage(str(path))
            read = time.process_time()
            if raw not in path.parents:
                seconds += read - start
                continue
            sitk.WriteImage(volume, str(raw / "x.nii.gz"), useCompression=True)
            seconds += time.process_time() - read
    return seconds


def convert(words: list[str], processes: int, raw: Path) -> tuple[float, float, float]:
    """Seconds by the clock, processor seconds, and the memory in GB of the largest process of a conversion."""
    environment = os.environ | ONE_THREAD | {"nnUNet_raw": str(raw)}
    command = [sys.executable, __file__, "--child", *words, "-np", str(processes)]
    start = time.monotonic()
    result = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    if result.returncode:
        sys.exit(result.stderr)
    processor, memory = map(float, result.stdout.splitlines()[-1].split())
    return time.monotonic() - start, processor, memory


def child(words: list[str]) -> None:
    """Run a conversion in a separate process, to measure the time and memory of it and its workers only."""
    if status := mass_nnunet(["convert", *words]):
        sys.exit(status)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(sum(u.ru_utime + u.ru_stime for u in usages), max(u.ru_maxrss for u in usages) / 1e6)


def measure(source: Path, words: list[str]) -> None:
    """Print a line for one process and a line for two."""
    for processes in (1, 2):
        with tempfile.TemporaryDirectory() as raw:
            clock, processor, memory = convert(words, processes, Path(raw))
            reference = plain(source, Path(raw))
        print(
            f"{words[0]:6s} {processes} process(es): {processor:6.2f} s of processor time, "
            f"{processor / reference:.2f} times plain ({reference:.2f} s); {clock:.2f} s by the clock; "
            f"largest process {memory:.2f} GB",
            flush=True,
        )


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", nargs=argparse.REMAINDER, metavar="SRC WORDS", help="convert SRC instead")
    args = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    if args.run:
        source, name, *words = args.run
        measure(Path(source), [name, source, *words])
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: those started later inherit the peak of memory of this one.
        with ProcessPoolExecutor(1) as executor:
            executor.submit(make_trees, Path(folder)).result()
        for name, words in WORDS.items():
            source = Path(folder) / name
            inputs = [source / "images", source / "labels"] if name == "nifti" else [source]
            measure(source, [name, *map(str, inputs), *words])


if __name__ == "__main__":
    main()
