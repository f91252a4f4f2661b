"""Verdicts of `mass_nnunet quality` on a real prediction and on damaged forms of it and its scan.

    python experiments/quality_damage.py PREDICTION SCAN -d 801 -f 0 --other OTHER_PREDICTION OTHER_SCAN --work FOLDER

PREDICTION is a label map of a scan of dataset 801 with abdominal organs; OTHER_PREDICTION is one of a scan of another
modality. The table has a row for each: the verdict, the mean estimated Dice and the first mark. The exit status is 1
if anything that is wrong has no mark or is called good.
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.cli import main as mass_nnunet
from mass_nnunet.data.files import read_json
from mass_nnunet.data.names import image_name, label_name
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.volume import read_volume
from mass_nnunet.errors import exit_on_user_error

ENDING = ".nii.gz"
SHIFT = 50.0
"""Distance in mm by which labels are shifted."""


class Pair(NamedTuple):
    """A scan and its label map, voxels (Z, Y, X) from feet to head, back to front and left to right."""

    scan: np.ndarray
    labels: np.ndarray
    spacing: tuple[float, float, float]
    direction: tuple[float, ...]
    names: dict[str, int]


def nothing(pair: Pair) -> Pair:
    return pair._replace(labels=np.zeros_like(pair.labels))


def shifted_labels(pair: Pair) -> Pair:
    """Labels 5 cm nearer to the front."""
    moved, step = np.zeros_like(pair.labels), round(SHIFT / pair.spacing[1])
    moved[:, step:] = pair.labels[:, :-step]
    return pair._replace(labels=moved)


def mirrored_labels(pair: Pair) -> Pair:
    return pair._replace(labels=pair.labels[..., ::-1])


def swapped(pair: Pair, one: str, other: str) -> Pair:
    values = np.arange(max(pair.names.values()) + 1)
    first, second = pair.names[one], pair.names[other]
    values[[first, second]] = second, first
    return pair._replace(labels=values[pair.labels].astype(pair.labels.dtype))


def random_labels(pair: Pair) -> Pair:
    rng = np.random.default_rng(0)
    return pair._replace(labels=rng.choice(list(pair.names.values()), pair.labels.shape).astype(pair.labels.dtype))


def noise(pair: Pair) -> Pair:
    """Voxels of the scan in random order."""
    return pair._replace(scan=np.random.default_rng(0).permutation(pair.scan.ravel()).reshape(pair.scan.shape))


def upside_down(pair: Pair) -> Pair:
    return pair._replace(scan=pair.scan[::-1], labels=pair.labels[::-1])


def mirrored(pair: Pair) -> Pair:
    return pair._replace(scan=pair.scan[..., ::-1], labels=pair.labels[..., ::-1])


def half(pair: Pair) -> Pair:
    """The scan from its feet to the middle slice of the organs."""
    middle = int(np.median(np.nonzero(pair.labels)[0])) + 1
    return pair._replace(scan=pair.scan[:middle], labels=pair.labels[:middle])


def pelvis(pair: Pair) -> Pair:
    """The lowest third of the scan, in which the body is spleen."""
    low = pair.scan[: len(pair.scan) // 3]
    body = low > (low.min() + low.max()) / 4
    return pair._replace(scan=low, labels=(body * pair.names["spleen"]).astype(pair.labels.dtype))


DAMAGES: dict[str, Callable[[Pair], Pair]] = {
    "nothing": nothing,
    "labels shifted by 5 cm": shifted_labels,
    "labels mirrored": mirrored_labels,
    "kidneys swapped": lambda pair: swapped(pair, "left_kidney", "right_kidney"),
    "liver and spleen swapped": lambda pair: swapped(pair, "liver", "spleen"),
    "random labels": random_labels,
    "noise in the place of the scan": noise,
    "scan and labels upside down": upside_down,
    "scan and labels mirrored": mirrored,
    "scan and labels cut in half": half,
    "pelvis alone, all of it spleen": pelvis,
}


def read_pair(prediction: Path, scan: Path, names: dict[str, int]) -> Pair:
    """A scan and its label map, in the orientation of :class:`Pair`."""
    image, labels = (Pose.UPRIGHT.turn(read_volume(file)) for file in (scan, prediction))
    x, y, z = image.GetSpacing()
    return Pair(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labels), (z, y, x), image.GetDirection(), names)


def write_pair(pair: Pair, case: str, images: Path, predictions: Path) -> None:
    """Write a scan and its label map as a case."""
    files = images / image_name(case, 0, ENDING), predictions / label_name(case, ENDING)
    for array, file in zip((pair.scan, pair.labels), files, strict=True):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing(pair.spacing[::-1])
        image.SetDirection(pair.direction)
        sitk.WriteImage(image, str(file))


def judged(args: argparse.Namespace) -> list[tuple[str, str, float, list[str]]]:
    """Name, verdict, mean estimated Dice and marks of the prediction and of all that is wrong."""
    names = RawDataset.load(args.d).labels
    inputs = {"as predicted": lambda pair: pair, **DAMAGES}
    folders = images, predictions = args.work / "images", args.work / "predictions"
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    pair = read_pair(args.prediction, args.scan, names)
    for number, damage in enumerate(inputs.values()):
        write_pair(damage(pair), f"input{number:02d}", *folders)
    rows = list(inputs)
    if args.other:
        prediction, scan = args.other
        write_pair(read_pair(prediction, scan, names), f"input{len(rows):02d}", *folders)
        rows.append("a scan of another modality, segmented")
    words = ["quality", predictions, "--images", images, "-d", args.d, "-f", args.fold, "-o", args.work / "quality"]
    if status := mass_nnunet([str(word) for word in words]):
        raise SystemExit(status)
    found = []
    for one in sorted(read_json(args.work / "quality" / "quality.json", "run it again")["cases"], key=_case):
        dice = float(np.mean([organ["dice"] for organ in one["organs"]])) if one["organs"] else float("nan")
        found.append((rows[int(_case(one)[-2:])], one["verdict"], dice, one["marks"]))
    return found


def _case(one: dict[str, str]) -> str:
    return one["case"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prediction", type=Path)
    parser.add_argument("scan", type=Path)
    parser.add_argument("-d", type=int, required=True)
    parser.add_argument("-f", "--fold", type=int, default=0)
    parser.add_argument("--other", type=Path, nargs=2, metavar=("PREDICTION", "SCAN"), default=())
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    with exit_on_user_error():
        found = judged(args)
    print("| input | verdict | estimated Dice | first mark |\n|---|---|---:|---|")
    for name, verdict, dice, marks in found:
        print(f"| {name} | {verdict} | {dice:.2f} | {marks[0] if marks else ''} |")
    missed = [name for name, verdict, _, marks in found[1:] if verdict == "good" or not marks]
    print(f"not found: {', '.join(missed) or 'none'}")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
