"""``mass_nnunet phantom``: synthetic CT and MRI scans of abdomens, in the native layouts of BTCV and CHAOS."""

import argparse
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases

from . import btcv_tree, chaos_tree
from .folder import SETTINGS_JSON, TREES
from .patient import make_patient

UNFINISHED = ".unfinished"  # patients that are being written; those of a killed run are deleted
SMALLEST = (8, 32, 32)  # voxels; on a coarser grid the small organs vanish


@dataclass(frozen=True)
class PatientToWrite:
    """A patient that is to be made, and the folder of the phantom."""

    out: Path
    modality: str
    number: int
    labelled: bool
    seed: int
    size: tuple[int, int, int]

    @property
    def tree(self) -> ModuleType:
        """The layout: ``btcv_tree`` or ``chaos_tree``."""
        return btcv_tree if self.modality == "CT" else chaos_tree

    @property
    def part(self) -> Path:
        """The folder that holds the labelled or the unlabelled patients."""
        return self.out / (self.tree.TRAIN if self.labelled else self.tree.TEST)

    @property
    def marker(self) -> Path:
        """The path that exists if the patient is complete, because it is moved into place last."""
        if self.modality == "CT":
            return btcv_tree.image_path(self.part, self.number)
        return self.part / str(self.number)

    def write(self) -> None:
        """Make the patient, write it into a temporary folder, and move it into place."""
        patient = make_patient(self.seed, self.number, self.modality, self.size)
        aside = self.out / UNFINISHED / f"{self.modality}_{self.number}"
        self.tree.write_patient(aside, patient, self.labelled)
        self.marker.parent.mkdir(parents=True, exist_ok=True)
        if self.modality == "MRI":
            aside.rename(self.marker)
            return
        if self.labelled:
            label = btcv_tree.label_path(self.part, self.number)
            label.parent.mkdir(parents=True, exist_ok=True)
            btcv_tree.label_path(aside, self.number).replace(label)  # a killed run may have left one
        btcv_tree.image_path(aside, self.number).rename(self.marker)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet phantom``."""
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets BTCV/ and CHAOS/")
    parser.add_argument("--ct", type=int, default=16, metavar="N", help="labelled CT patients (default %(default)s)")
    parser.add_argument("--mri", type=int, default=16, metavar="N", help="labelled MRI patients (default %(default)s)")
    parser.add_argument(
        "--unlabelled-ct", type=int, default=8, metavar="N", help="CT patients without labels (default %(default)s)"
    )
    parser.add_argument(
        "--unlabelled-mri", type=int, default=8, metavar="N", help="MRI patients without labels (default %(default)s)"
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=3,
        default=(32, 128, 128),
        metavar=("Z", "Y", "X"),
        help="voxels of a scan (default 32 128 128)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other patients (default %(default)s)")
    parser.add_argument("-np", type=int, default=2, metavar="N", help="processes (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Write the patients that do not exist yet.

    Raises:
        UserError: a number is out of range, or OUT cannot be written or holds a phantom of another seed or size.
    """
    _check(args)
    settings = {"seed": args.seed, "size": list(args.size)}
    try:
        _claim(args.out, settings)
    except OSError as error:
        raise UserError(f"cannot write to {args.out} ({error.strerror}): choose another folder") from None
    patients = [
        PatientToWrite(args.out, modality, number, labelled, args.seed, tuple(args.size))
        for modality, labelled, numbers in (
            ("CT", True, btcv_tree.train_numbers(args.ct)),
            ("CT", False, btcv_tree.test_numbers(args.unlabelled_ct)),
            ("MRI", True, chaos_tree.train_numbers(args.mri)),
            ("MRI", False, chaos_tree.test_numbers(args.unlabelled_mri)),
        )
        for number in numbers
    ]
    missing = [patient for patient in patients if not patient.marker.exists()]
    map_cases(PatientToWrite.write, missing, processes=args.np, description="phantom")
    shutil.rmtree(args.out / UNFINISHED, ignore_errors=True)
    kept = len(patients) - len(missing)
    print(f"{len(missing)} patients written, {kept} already there: {args.out / 'BTCV'} and {args.out / 'CHAOS'}")


def _check(args: argparse.Namespace) -> None:
    for name in ("ct", "mri", "unlabelled_ct", "unlabelled_mri", "seed"):
        if getattr(args, name) < 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(args, name)} is negative: give 0 or more")
    if args.np < 1:
        raise UserError(f"-np {args.np}: give at least one process")
    if any(length < least for length, least in zip(args.size, SMALLEST, strict=True)):
        size, smallest = (" ".join(map(str, lengths)) for lengths in (args.size, SMALLEST))
        raise UserError(f"--size {size} is too small for organs to be seen: give at least {smallest}")


def _claim(out: Path, settings: dict) -> None:
    """Prepare ``out`` for a phantom with these settings.

    Raises:
        UserError: ``out`` holds another phantom, or other data.
        OSError: ``out`` cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise PermissionError(13, "permission denied")
    path = out / SETTINGS_JSON
    if path.exists():
        if read_json(path, "delete the folder and run this again") != settings:
            raise UserError(f"{path} is of a phantom with another --seed or --size: choose another folder")
    else:
        if any((out / tree).exists() for tree in TREES):
            raise UserError(f"{out} holds data that this command did not write: choose another folder")
        write_json(path, settings)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
