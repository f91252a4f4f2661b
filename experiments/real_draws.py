"""The draws of two real pairs for real.py: their scans are found in shared/data, written, split and planned.

``abdomen`` is BTCV CT with CHAOS T2. ``heart`` is bSSFP with LGE of MS-CMRSeg, each of other patients, in which slices
at the ends that nobody annotated are ignored.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chaos_t2 import find_cases as find_mris
from chaos_t2 import numbered_cases
from groups import run
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.pose import usual_pose
from mass_nnunet.dataset_conversion.datasets import btcv, chaos
from mass_nnunet.dataset_conversion.raw_dataset import ConversionOptions, write_dataset
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS, number_labels
from real_pair import DRAWS, draw, find_cts

HEART = number_labels(["myocardium", "left_ventricle", "right_ventricle"])
HEART_REFERENCE = "Zhuang, Multivariate mixture model for myocardial segmentation, IEEE TPAMI 2019 (MS-CMRSeg 2019)"
UNMARKED = 5
"""Distance of the id of a heart dataset from that of the one in which ends of scans are ignored."""


@dataclass(frozen=True)
class Part:
    """One of the two datasets of a pair."""

    name: str
    channel: str
    labels: Mapping[str, int]
    find: Callable[[Path], list[NiftiCase]]
    licence: str | None
    reference: str | None


@dataclass(frozen=True)
class Pair:
    """Two datasets of different patients."""

    first_id: int
    parts: tuple[Part, Part]
    ignores_ends: bool = False
    """Whether slices at the ends of a scan that nobody annotated are ignored."""

    def ids(self, number: int) -> tuple[int, int]:
        """Dataset ids of a draw."""
        return self.first_id + 10 * number, self.first_id + 10 * number + 1


@dataclass(frozen=True)
class Size:
    """Options of ``mass_nnunet plan`` by the name of the pair, and the device."""

    network: Mapping[str, str]
    epochs: int
    iterations: int
    device: str


_ABDOMEN = "--spacing 7.7 3.6 3.6 --patch-size 32 96 96 --features 8"
_HEART = "--spacing native --patch-size 16 96 96 --features 8"
_SHORT = {
    "abdomen": "--spacing 7.7 5.4 5.4 --patch-size 24 64 64 --features 8",
    "heart": "--spacing 10 2.6 2.6 --patch-size 12 64 64 --features 8",
}
_TINY = "--spacing fit --patch-size 8 16 16 --features 4"
SIZES = {
    "small": Size({"abdomen": _ABDOMEN, "heart": _HEART}, epochs=24, iterations=50, device="cpu"),
    "short": Size(_SHORT, epochs=12, iterations=50, device="cpu"),
    "brief": Size(_SHORT, epochs=5, iterations=50, device="cpu"),
    "full": Size(dict.fromkeys(("abdomen", "heart"), "--spacing native"), epochs=200, iterations=250, device="cuda"),
    "tiny": Size(dict.fromkeys(("abdomen", "heart"), _TINY), epochs=1, iterations=1, device="cpu"),
}
"""``short`` is for a processor without bfloat16; ``brief`` for suggest.py, which trains often; ``tiny`` for tests."""


def find_hearts(sequence: str, remainder: int) -> Callable[[Path], list[NiftiCase]]:
    """A function that finds the scans of a sequence, of every second patient: the two sequences share none."""

    def find(source: Path) -> list[NiftiCase]:
        folder = source / "cardiac_mr" / sequence
        cases = numbered_cases(folder, "heart", {value: value for value in HEART.values()}, f"_{sequence}")
        return [case for case in cases if int(case.patient.rpartition("_")[2]) % 2 == remainder]

    return find


PAIRS = {
    "abdomen": Pair(
        first_id=801,
        parts=(
            Part("BTCV", "CT", LABELS, lambda src: find_cts(src / "btcv_ct"), btcv.LICENCE, btcv.REFERENCE),
            Part("CHAOS", "MRI", LABELS, lambda src: find_mris(src / "chaos_t2_mr"), chaos.LICENCE, chaos.REFERENCE),
        ),
    ),
    "heart": Pair(
        first_id=831,
        parts=(
            Part("bSSFP", "bSSFP", HEART, find_hearts("bSSFP", 0), None, HEART_REFERENCE),
            Part("LGE", "LGE", HEART, find_hearts("LGE", 1), None, HEART_REFERENCE),
        ),
        ignores_ends=True,
    ),
}


def prepare(name: str, number: int, args: argparse.Namespace) -> None:
    """Write, split and plan the datasets of a draw, unless that is done. nnU-Net's folders are set.

    Raises:
        UserError: there are too few scans, or the draw was planned with other options.
    """
    pair, size = PAIRS[name], SIZES[args.size]
    network = [*size.network[name].split(), "--epochs", str(size.epochs), "--iterations", str(size.iterations)]
    ids = pair.ids(number)
    hidden = [] if args.unlabelled is None else ["--unlabelled", str(ids[args.unlabelled])]
    asked = [*network, *map(str, (*args.label_rates, args.seeds)), *hidden]
    done = args.root / name / f"draw{number}" / "planned.json"
    if done.exists():
        if read_json(done, "name another folder") != asked:
            raise UserError(f"{done.parent} was planned with other options: name another folder")
        return
    for part, ident in zip(pair.parts, ids, strict=True):
        _write(part, ident, number, args.source, ignores_ends=pair.ignores_ends)
    # One patient to validate on: nnU-Net needs one, and there are few patients.
    rates = ["--label-rates", *args.label_rates, "--seeds", args.seeds]
    run("split", "-d", *ids, *rates, "--val-fraction", 0.01, *hidden)
    run("plan", "-d", *ids, *network, "-np", args.np)
    write_json(done, asked)


def _write(part: Part, ident: int, number: int, source: Path, *, ignores_ends: bool) -> None:
    """Write a dataset of a draw: a third of the patients is in its test part.

    Args:
        part: the dataset.
        ident: its id in this draw.
        number: of the draw.
        source: shared/data.
        ignores_ends: whether the ends of scans are ignored; the dataset without marks has another id then.

    Raises:
        UserError: there are too few scans.
    """
    cases = part.find(source)
    if len(cases) < 2 * DRAWS:
        raise UserError(f"{source} has {len(cases)} scans of {part.name}: name the folder shared/data")
    written = ident + UNMARKED if ignores_ends else ident
    target = Target(
        dataset_id=written,
        name=part.name,
        channel=part.channel,
        labels=part.labels,
        cases=draw(cases, number),
        licence=part.licence,
        reference=part.reference,
        pose=usual_pose([case.image for case in cases]),
    )
    print(write_dataset(target, ConversionOptions()))
    marked = dataset_folder("raw", written).with_name(f"Dataset{ident}_{part.name}")
    if ignores_ends and not marked.exists():
        run("relabel", "-d", written, "--ignore-ends", "--to", ident, "--name", part.name)
