"""``mass_nnunet check -d ID``: find mistakes in a raw dataset; it writes only its report."""

import argparse
import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.data.annotated import Annotated
from mass_nnunet.data.dataset_json import turned_by_reader
from mass_nnunet.data.label_map import check_truncation, whole_values
from mass_nnunet.data.raw import TRAINING, Part, RawDataset
from mass_nnunet.data.volume import (
    ORIENTATION,
    SIMILAR_GRID,
    compact,
    grid_distance,
    label_like,
    on_grid_of,
    read_volume,
)
from mass_nnunet.dataset_conversion.source import map_labels
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases

from .findings import CheckedCase, Finding, Level, compare_cases, position_errors, unusual_findings
from .inspection import Preview, measure
from .report import describe_check, error_lines, write_check

_UNWRITTEN = "the findings are above: make the folder writable, with room on its disk, to keep them"


@dataclass(frozen=True)
class CaseFiles:
    """A case to check, with its files."""

    case: CheckedCase
    images: tuple[Path, ...]
    label: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet check``."""
    parser.add_argument(
        "-d",
        type=int,
        nargs="+",
        required=True,
        metavar="ID",
        help="dataset ids; a group's are compared as well",
    )
    parser.add_argument("-np", "--processes", type=int, default=2, help="worker processes (default 2)")


def run(args: argparse.Namespace) -> None:
    """Check, and print the findings and the table of each dataset."""
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    check_datasets(list(dict.fromkeys(args.d)), args.processes)


def check_datasets(ids: Sequence[int], processes: int) -> None:
    """Check datasets one by one and against each other, print the findings, and write them into each dataset's folder.

    Raises:
        UserError: a dataset does not exist, or has an error, or its report cannot be written; all findings are printed
            first.
    """
    datasets = [RawDataset.load(dataset_id) for dataset_id in ids]
    checked: list[CheckedCase] = []
    previews: dict[str, dict[str, Preview]] = {}
    for dataset in datasets:
        results = map_cases(
            partial(
                inspect,
                labels=dataset.values,
                annotated=dataset.annotated(),
                channels=tuple(dataset.channels),
                stored=not turned_by_reader(dataset.content),
            ),
            case_files(dataset),
            processes=processes,
            description=f"checking {dataset.name}",
        )
        checked += [case for case, _ in results]
        previews[dataset.name] = {case.name: preview for case, preview in results if preview is not None}
    checked = compare_cases(checked)
    printed, broken, unwritten = list[str](), list[str](), list[str]()
    for dataset in datasets:
        own = [case for case in checked if case.dataset == dataset.name]
        try:
            printed.append(write_check(dataset.folder, own, previews[dataset.name], dataset.labels))
        except OSError as error:  # the findings are worth more than their file
            printed.append(describe_check(own, dataset.labels, together=False))
            unwritten.append(f"{dataset.folder}: the report was not written ({error.strerror or error}), {_UNWRITTEN}")
        if not any(case.has(Level.ERROR) for case in own):
            broken += _by_nnunet(dataset, processes)
    print("\n".join(printed))
    if lines := [*error_lines(checked), *broken, *unwritten]:
        raise UserError("\n".join(lines))


def case_files(dataset: RawDataset) -> list[CaseFiles]:
    """All cases of a dataset, in order of part and name. A missing label map of a training case is found later.

    Raises:
        UserError: see :meth:`RawDataset.patients`.
    """
    patients = dataset.patients()
    result = []
    for part in Part:
        for name in dataset.cases(part):
            label = dataset.label_path(part, name) if part is TRAINING else dataset.label(part, name)
            images = tuple(dataset.image_paths(part, name))
            case = CheckedCase(
                name=name,
                dataset=dataset.name,
                patient=patients[name] if dataset.names_patients else f"{dataset.name}/{name}",
                part=part,
                image=str(images[0]),
                label=None if label is None else str(label),
                measures=None,
            )
            result.append(CaseFiles(case, images, label))
    return result


def inspect(
    files: CaseFiles,
    *,
    labels: Mapping[str, int],
    channels: tuple[str, ...],
    stored: bool,
    annotated: Annotated | None = None,
) -> tuple[CheckedCase, Preview | None]:
    """Check one case; an unreadable file is an error among its findings.

    Args:
        files: the case.
        labels: labels of the dataset, with ``ignore`` if it has it.
        channels: names of its channels.
        stored: whether nnU-Net reads the scan in its stored axes; otherwise it turns it to RAS.
        annotated: annotated structures of the cases that are annotated in part; None for no such cases.
    """
    try:
        volumes = [read_volume(path) for path in files.images]
        label, notes = None, list[str]()
        for path, other in zip(files.images[1:], volumes[1:], strict=True):
            notes += on_grid_of(volumes[0], files.images[0], other, path)[1]
        if files.label is not None:
            its_label = read_volume(files.label)
            turned, its_notes = on_grid_of(volumes[0], files.images[0], its_label, files.label)
            notes += its_notes
            if grid_distance(volumes[0], its_label) > SIMILAR_GRID:
                notes.append("the axes of scan and label run differently, which not every reader of nnU-Net puts right")
            values, rounded = whole_values(sitk.GetArrayViewFromImage(turned), files.label)
            notes += rounded
            if rounded and files.case.part is TRAINING:
                check_truncation(sitk.GetArrayViewFromImage(turned), values, files.label)
            values = map_labels(values, {v: v for v in labels.values()}, files.label)
            label = label_like(volumes[0], values)
        first = compact(volumes[0])
        if not stored:
            first = sitk.DICOMOrient(first, ORIENTATION)
            label = None if label is None else sitk.DICOMOrient(label, ORIENTATION)
        measures, preview = measure(first, label, labels, channels[0], files.images[0], stored=stored)
    except UserError as error:
        return replace(files.case, findings=(Finding(Level.ERROR, str(error)),)), None
    found = (
        *(Finding(Level.WARNING, note) for note in notes),
        *position_errors(measures),
        *unusual_findings(measures, labels, channels[0], (annotated or {}).get(files.case.name)),
    )
    return replace(files.case, measures=measures, findings=found), preview


def _by_nnunet(dataset: RawDataset, processes: int) -> list[str]:
    """Error of nnU-Net's own check of ``imagesTr`` and ``labelsTr``: a list of one line, or empty."""
    if not dataset.content["numTraining"]:
        return []  # nnU-Net knows no datasets of unlabelled scans alone
    # Not at the top of the file: every worker process would import torch with it.
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            verify_dataset_integrity(str(dataset.folder), processes)
    except (AssertionError, RuntimeError, FileNotFoundError) as error:
        reason = " ".join(str(error).split())
        return [f"{dataset.folder} does not pass nnU-Net's own check ({reason}): correct it"]
    return []
