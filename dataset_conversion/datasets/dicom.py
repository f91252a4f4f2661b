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
from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.dataset_conversion.dicom.case import DicomCase
from mass_nnunet.dataset_conversion.dicom.export import Export, Series, read_export
from mass_nnunet.dataset_conversion.dicom.naming import Naming, organs_in, parse_naming
from mass_nnunet.dataset_conversion.dicom.pseudonyms import write_key
from mass_nnunet.dataset_conversion.dicom.selection import chosen_series, rows
from mass_nnunet.dataset_conversion.dicom.structures import LabelObject
from mass_nnunet.dataset_conversion.dicom.table import table
from mass_nnunet.dataset_conversion.options import CHANNELS, add_naming, add_pose, dataset_name
from mass_nnunet.dataset_conversion.pose import Pose, pose_of_tilts
from mass_nnunet.dataset_conversion.readers.nifti_case import keyed
from mass_nnunet.dataset_conversion.source import Source, Target, stem, visible_files
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
    cases, used = _cases(export, taken, naming, args)
    print(_overview(export, taken, used))
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
    """What the key file tells of a scan."""
    folders = sorted({str(plane.path.parent) for plane in one.stack.planes}) if one.stack is not None else []
    return {"series": one.uid, "description": one.description, "folders": folders}


def _tilt(case: DicomCase) -> float | None:
    first = case.stack.planes[0]
    return tilt(case.stack.axes.T[::-1], [case.stack.step, *first.spacing])


def _cases(
    export: Export, taken: Sequence[Series], naming: Naming | None, args: argparse.Namespace
) -> tuple[list[DicomCase], dict[int, str]]:
    """The cases with their labels, and what is done with each label object."""
    nifti = _nifti(args.label_folder, taken)
    if nifti and naming is None:
        raise UserError(f"{args.label_folder} holds labels: say with --labels what they are")
    if naming is not None and export.unreadable:
        raise UserError(export.unreadable[0][1])
    if naming is not None and export.damaged:
        raise UserError(
            f"{export.path} holds DICOM files with damaged headers ({export.damaged}), which may be labels: "
            "export it again"
        )
    picked = {int(pick) for pick in args.series if pick.isdecimal()}
    numbers = {number for number, _ in export.labels}
    wanted = picked & numbers or numbers
    objects, used = _assigned(export, taken, naming, wanted)
    if naming is not None and not objects and not nifti and (names := _unknown(export, taken)):
        raise UserError(
            f"--labels names no structure of the labels, which are {', '.join(names)}: name them as they are"
        )
    result = []
    for one in taken:
        assert one.stack is not None  # a series without slices has a fault
        found = objects.get(one.number, [])
        file = nifti.get(one.number)
        if found and file is not None:
            raise UserError(f"{one.title} has labels in {found[0][0].name} and in {file}: leave one of them out")
        label = file.name if file is not None else " and ".join(label.name for label, _ in found)
        result.append(
            DicomCase(
                name=one.name,
                patient=one.patient,
                label=Path(label) if label else None,
                title=one.title,
                stack=one.stack,
                objects=tuple(found),
                nifti=file,
                table=naming.table() if naming is not None else {0: 0},
            )
        )
    return result, used


def _unknown(export: Export, taken: Sequence[Series]) -> list[str]:
    """Names of the structures of taken scans."""
    labels = [label for _, label in export.labels if any(_score(label, one) for one in taken)]
    return list(dict.fromkeys(name for label in labels for _, name in label.structures))


def _score(label: LabelObject, one: Series) -> int:
    return 0 if one.stack is None else label.belongs(one.uid, one.frame_of_reference, one.stack)


def _nifti(folder: Path | None, taken: Sequence[Series]) -> dict[int, Path]:
    """The NIfTI file of each series that has one, by number; a file is named as the case of a series, or by its UID."""
    result: dict[int, Path] = {}
    files = [] if folder is None else visible_files(folder, *ENDINGS)
    for key, path in sorted(keyed(((stem(path), path) for path in files), "label map").items()):
        fitting = [one for one in taken if key in (one.name, one.uid)]
        if not fitting:
            raise UserError(f"{path} belongs to no taken series: name it as its case in --list")
        if len(fitting) > 1:
            titles = " or ".join(f"{one.title} ({one.name})" for one in fitting)
            raise UserError(f"{path} does not say whether it is of {titles}: name it as its case")
        (one,) = fitting
        if one.number in result:
            raise UserError(f"{result[one.number]} and {path} are both the labels of {one.title}: remove one of them")
        result[one.number] = path
    return result


def _assigned(
    export: Export, taken: Sequence[Series], naming: Naming | None, wanted: set[int]
) -> tuple[dict[int, list[tuple[LabelObject, dict[int, tuple[int, ...]]]]], dict[int, str]]:
    """Label objects of each series, by its number, and what is done with each object, by its own."""
    result: dict[int, list[tuple[LabelObject, dict[int, tuple[int, ...]]]]] = {}
    used: dict[int, str] = {}
    owners: dict[tuple[int, str], LabelObject] = {}
    for number, label in export.labels:
        if naming is None or number not in wanted:
            used[number] = "not used: " + ("no --labels" if naming is None else "not picked")
            continue
        scores = [_score(label, one) for one in taken]
        best = [one for one, score in zip(taken, scores, strict=True) if score == max(scores) > 0]
        organs = organs_in(label.structures, naming)
        if organs and len(best) > 1:
            titles = " or ".join(one.title for one in best)
            raise UserError(f"{label.name} does not say whether it is of {titles}: pick one of them with --series")
        if not best or not organs:
            reason = "--labels names none of its structures" if best else "its scan is not taken, or not here"
            used[number] = f"not used: {reason}"
            continue
        (one,) = best
        for organ in organs:
            if (other := owners.setdefault((one.number, organ), label)) is not label:
                raise UserError(
                    f"{organ} of {one.title} is in {other.name} and in {label.name}: pick the labels with --series too"
                )
        result.setdefault(one.number, []).append(
            (label, {naming.labels[organ]: numbers for organ, numbers in organs.items()})
        )
        used[number] = f"labels of {one.title}: {', '.join(organs)}"
    return result, used
