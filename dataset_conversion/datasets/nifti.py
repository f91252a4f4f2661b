"""Any two folders: one of NIfTI scans, and one of label maps with the same names for some of them."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from mass_nnunet.data.names import check_case_name
from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.dataset_conversion.options import (
    CHANNELS,
    add_dataset_id,
    add_naming,
    add_pose,
    chosen_pose,
    dataset_name,
)
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase, keyed, paired
from mass_nnunet.dataset_conversion.source import Source, Target, stem, visible_files
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, number_labels

NAME = "nifti"
TITLE = "any folder of NIfTI scans, and one of label maps"
LICENCE = None
REFERENCE = None
_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert nifti``."""
    parser.add_argument(
        "label_folder", type=Path, nargs="?", metavar="LABELS", help="folder of label maps named as their scans"
    )
    add_dataset_id(parser)
    add_naming(parser)
    parser.add_argument(
        "--labels",
        nargs="+",
        required=True,
        metavar="NAME=VALUES",
        help="what the values of the label maps are: spleen=1 liver=6,7 background=2-5; each value but 0 must be named",
    )
    parser.add_argument(
        "--patient-pattern",
        metavar="REGEX",
        help="finds the patient in a scan's name, so that no patient is in two parts: '^(.*)_visit'; "
        "without it each scan is another patient's",
    )
    parser.add_argument(
        "--channels",
        nargs="+",
        metavar="NAME",
        help="names of the channels x_0000, x_0001, ... of each scan, such as T1in T1out (default: one, of --modality)",
    )
    add_pose(parser)


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The dataset that ``mass_nnunet convert nifti`` writes.

    Raises:
        UserError: an option is wrong, or as in :func:`parse_labels` and :func:`find_cases`.
    """
    labels, table = parse_labels(args.labels)
    name = dataset_name(args)
    channel, *more = args.channels or [CHANNELS[args.modality]]
    if (channel == CHANNELS["CT"]) != (args.modality == "CT"):
        raise UserError(f"--channels {channel}: the first channel of a CT is called CT, and that of an MRI is not")
    cases = find_cases(source, args.label_folder, table, args.patient_pattern, 1 + len(more))
    pose = chosen_pose(args.pose, [case.image for case in cases])
    target = Target(args.dataset_id, name, channel, labels, cases, args.licence, args.reference, pose=pose)
    return [target._replace(more_channels=tuple(more))]


def find_cases(
    source: Source,
    label_folder: Path | None,
    table: dict[int, int],
    patient_pattern: str | None,
    channels: int = 1,
) -> list[NiftiCase]:
    """The scans of a folder; ``x_0000.nii.gz`` and ``x.nii.gz`` are both the scan of the label map ``x.nii.gz``.

    With several channels a scan is ``x_0000.nii.gz``, ``x_0001.nii.gz`` and so on.

    Raises:
        UserError: there are no scans, nnU-Net cannot use a name, a label map has no scan, no patient is found, or a
            scan has another number of channels.
    """
    files = [path for root in source.roots for path in visible_files(root, *ENDINGS)]
    further = further_channels(files, channels)
    firsts = set(files).difference(*further.values())
    images = keyed(((stem(path).removesuffix("_0000"), path) for path in files if path in firsts), "scan")
    if not images:
        raise UserError(f"{source.path} holds no NIfTI file (*.nii.gz, *.nii): give the folder of the scans")
    for name, path in images.items():
        if not _CASE.fullmatch(name):
            shown = path if str(path).isprintable() else repr(str(path))
            raise UserError(f"{shown}: rename it, a case's name is of letters, digits, '.', '_' and '-' only")
        check_case_name(name, path)
    labels = {}
    if label_folder is not None:
        labels = keyed(((stem(path), path) for path in visible_files(label_folder, *ENDINGS)), "label map")
        if not labels:
            raise UserError(f"{label_folder} holds no NIfTI file (*.nii.gz, *.nii): give the folder of the label maps")
    return [
        NiftiCase(
            name=name,
            patient=_patient(name, path, patient_pattern),
            image=path,
            label=labels.get(name),
            table=table,
            more=further.get(name, ()),
        )
        for name, path in paired(images, labels)
    ]


def further_channels(files: Iterable[Path], channels: int) -> dict[str, tuple[Path, ...]]:
    """Files of the channels after the first one, by the name of the scan.

    Args:
        files: of all channels of all scans.
        channels: of each scan.

    Raises:
        UserError: a scan has another number of channels.
    """
    named = keyed(((stem(path), path) for path in files), "scan")
    result = {}
    for name, path in named.items():
        match = re.fullmatch(r"(.+)_(\d{4})", name)
        # patient_0001 may be a patient's name; with a patient_0000 beside it, it is the second channel of that scan.
        if match and int(match[2]) >= channels and f"{match[1]}_0000" in named:
            raise UserError(
                f"{path} is channel {int(match[2])} of {match[1]}: name all channels with --channels, or leave it out"
            )
        if channels == 1:
            continue
        if match is None or f"{match[1]}_0000" not in named:
            raise UserError(f"{path} is no channel of a scan x_0000, x_0001, ...: rename it, or leave out --channels")
        of_scan = [f"{match[1]}_{number:04d}" for number in range(channels)]
        if absent := [other for other in of_scan if other not in named]:
            raise UserError(f"{path} has no {absent[0]} beside it: add this channel, or leave the scan out")
        result[match[1]] = tuple(named[other] for other in of_scan[1:])
    return result


def _patient(name: str, path: Path, pattern: str | None) -> str:
    if pattern is None:
        return name
    try:
        match = re.search(pattern, name)
    except re.error as error:
        raise UserError(f"--patient-pattern {pattern} is not a regular expression ({error})") from None
    if match is None:
        raise UserError(f"{path}: --patient-pattern {pattern} finds no patient in its name")
    return match[1] if match.groups() else match[0]


def parse_labels(definitions: Iterable[str]) -> tuple[dict[str, int], dict[int, int]]:
    """Labels of the dataset, and the table from values of the label maps to labels of the dataset.

    Args:
        definitions: ``NAME=VALUES`` each, VALUES as in ``1``, ``6,7`` or ``2-5``; 0 is background.

    Raises:
        UserError: a definition is not of that form, or a name or a value occurs twice.
    """
    values = {BACKGROUND: [0]}
    for definition in definitions:
        match = re.fullmatch(r"([A-Za-z]\w*)=(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)", definition)
        if match is None:
            raise UserError(f"--labels {definition} is not NAME=VALUES, such as liver=6 or background=2-5")
        if match[1] in values and match[1] != BACKGROUND:
            raise UserError(f"--labels names {match[1]} twice: give all its values at once, {match[1]}=1,2")
        values[match[1]] = sorted({*values.get(match[1], ()), *_expand(match[2], definition)})
    known = [value for its in values.values() for value in its]
    if twice := sorted(value for value in set(known) if known.count(value) > 1):
        raise UserError(f"--labels gives two names to the value {twice[0]}: leave one of them out")
    labels = number_labels(values)
    if len(labels) == 1:
        raise UserError("--labels names nothing but the background: name at least one organ")
    return labels, {value: labels[name] for name, its in values.items() for value in its}


def _expand(text: str, definition: str) -> list[int]:
    """``0,2-5`` -> ``[0, 2, 3, 4, 5]``."""
    values: list[int] = []
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        low, high = int(first), int(last or first)
        if not low <= high < 1 << 16:
            raise UserError(f"--labels {definition}: values run from 0 to 65535, the smaller one first")
        values += range(low, high + 1)
    return values
