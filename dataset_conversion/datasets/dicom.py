"""Any export of an archive: a folder or zip of DICOM series, of several patients, studies and series.

It prints the series that it finds, which of them are taken, and why the others are not. Patients get pseudonyms: no
name, birth date or id of a patient is written or shown. Labels are DICOM segmentations (SEG) and structure sets
(RTSTRUCT) in SRC or LABELS, or NIfTI files in LABELS that are named as the cases in the table (or by
SeriesInstanceUID).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mass_nnunet.data.axes import tilt
from mass_nnunet.data.pose import Pose, pose_of_tilts
from mass_nnunet.dataset_conversion.dicom.assignment import labelled_cases
from mass_nnunet.dataset_conversion.dicom.case import DicomCase
from mass_nnunet.dataset_conversion.dicom.export import Export, Series, read_export
from mass_nnunet.dataset_conversion.dicom.naming import parse_naming
from mass_nnunet.dataset_conversion.dicom.pseudonyms import write_key
from mass_nnunet.dataset_conversion.dicom.selection import chosen_series, rows
from mass_nnunet.dataset_conversion.dicom.table import table
from mass_nnunet.dataset_conversion.options import CHANNELS, add_naming, add_pose, dataset_name
from mass_nnunet.dataset_conversion.source import Source, Target
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS

NAME = "dicom"
TITLE = "any folder or zip of DICOM series, with SEG, RTSTRUCT or NIfTI labels"
LICENCE = None
REFERENCE = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert dicom``."""
    parser.add_argument(
        "label_folder", type=Path, nargs="?", metavar="LABELS", help="folder of labels that are not in SRC"
    )
    parser.add_argument("-d", "--dataset-id", type=int, metavar="ID", help="nnU-Net dataset id")
    add_naming(parser)
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME=WORDS",
        help="what the organs are called in the labels, by patterns of names or by numbers: "
        "spleen='*spleen*,milz' liver=6; without it all scans are unlabelled",
    )
    parser.add_argument(
        "--series",
        nargs="+",
        default=[],
        metavar="N",
        help="series to take, by numbers in the table or by patterns of descriptions, such as 't2.*tra' or all (all "
        "plain CT scans; MR scans must be picked where a study has several)",
    )
    parser.add_argument("--list", action="store_true", help="print the table of series, and write nothing")
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="file that tells whom the pseudonyms stand for; it is written, and pseudonyms in it are kept",
    )
    parser.add_argument(
        "--study-is-patient",
        action="store_true",
        help="each study is another patient's: for exports in which all patients have one id",
    )
    add_pose(parser)


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The dataset that ``mass_nnunet convert dicom`` writes; none with ``--list``.

    Raises:
        UserError: an option is wrong, or no series can be taken.
    """
    name = dataset_name(args)
    if args.dataset_id is None and not args.list:
        raise UserError("give -d ID for the dataset, or --list to see the series only")
    naming = parse_naming(args.labels) if args.labels else None
    if args.label_folder is not None and not args.label_folder.is_dir():
        raise UserError(f"{args.label_folder} is no folder: give the folder of the labels")
    export = read_export(source, args.modality, args.key, args.label_folder, by_study=args.study_is_patient)
    try:
        taken = chosen_series(export, args.series, args.modality)
    except UserError as error:
        print(_overview(export, [], {}))
        if not args.list:
            raise
        print(error)
        return []
    cases, used = labelled_cases(export, taken, naming, args.label_folder, args.series)
    print(_overview(export, taken, used))
    if naming is not None and export.labels and not any(case.label for case in cases):
        print("warning: no label is used: all scans are without labels; pick the scans that have some with --series")
    if args.list:
        return []
    if args.key is not None:
        write_key(args.key, export.pseudonyms, {one.name: _known(one) for one in taken})
    tilts = [angle for case in cases if (angle := _tilt(case)) is not None]
    pose = pose_of_tilts(tilts) if args.pose == "auto" else Pose(args.pose)
    labels = LABELS if naming is None else naming.labels
    channel = CHANNELS[args.modality]
    return [Target(args.dataset_id, name, channel, labels, cases, args.licence, args.reference, pose=pose)]


def _overview(export: Export, taken: Sequence[Series], used: dict[int, str]) -> str:
    lines = [table(rows(export, taken, used))]
    if export.others:
        lines.append(f"{export.others} files are no DICOM images or labels")
    if export.damaged:
        lines.append(f"{export.damaged} DICOM files have damaged headers, and are not used")
    return "\n".join(lines)


def _known(one: Series) -> dict[str, object]:
    """An entry of the key file: the series, its description and the folders of its files."""
    folders = sorted({str(plane.path.parent) for plane in one.stack.planes}) if one.stack is not None else []
    return {"series": one.uid, "description": one.description, "folders": folders}


def _tilt(case: DicomCase) -> float | None:
    first = case.stack.planes[0]
    return tilt(case.stack.axes.T[::-1], [case.stack.step, *first.spacing])
