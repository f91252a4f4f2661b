"""Assessments of a folder of predictions, their tables and their page."""

import argparse
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mass_nnunet.api import Model
from mass_nnunet.data.dataset_json import DATASET_JSON, Labels
from mass_nnunet.data.files import atomic_path, read_json, write_json
from mass_nnunet.data.label_map import check_predictions
from mass_nnunet.data.listing import listed
from mass_nnunet.data.names import image_name, label_name
from mass_nnunet.data.paths import FINAL_CHECKPOINT
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError

from .agreement import agreement
from .assessment import Assessment, assess
from .branches import kept_disagreements, load_with_atlases
from .calibration import Calibration, calibrate
from .estimator import Estimator
from .evidence import Evidence, Reference
from .figure import draw_case
from .grid import read_shares
from .page import CSV, PAGE, few_scans, write_quality_page, write_tables
from .references import annotated_cases, files_of, fold_of, lattice_of_all, read_references

CALIBRATION, CASES, BRANCHES = "calibration.json", "cases", "branches"
"""What is kept in the output folder, so that a killed command goes on: the calibration, a file for each case, and one
for what head and atlases of a model say about it."""
FORMAT = 5
"""Version of the form of these files: those of another version are made again."""


def assess_folder(args: argparse.Namespace) -> None:
    """Write the tables and the page that the options of ``mass_nnunet quality`` ask for."""
    dataset = RawDataset.load(args.d)
    if args.pictures < 0:
        raise UserError(f"--pictures {args.pictures} is no number of pictures: give 0 or more")
    for folder in (args.predictions, *args.validation, *args.compare):
        for note in check_predictions(folder, dataset.folder / DATASET_JSON, dataset.values):
            print(f"note: {note}")
    pairs = find_pairs(args.predictions, args.images, dataset.ending)
    others = other_files(args.compare, args.predictions, pairs)
    fold = fold_of(dataset, args.fold)
    files = files_of(dataset, annotated_cases(dataset, fold))
    predicted = validation_files(args.validation, fold.val, dataset.ending)
    references, notes = read_references(files, dataset)
    mark = digest([file for pair in files.values() for file in pair] + [file for _, file in predicted])
    known = [[one.patient for one in references.values()], dataset.labels]
    mark += hashlib.sha256(repr(known).encode()).hexdigest()[:8]
    for note in notes:
        print(note)
    model = None if args.model is None else load_with_atlases(args.model, args.fold, dataset)
    calibration = _calibrated(args.output / CALIBRATION, mark, dataset, references, predicted)
    found = []
    for case, (image, prediction) in tqdm(pairs.items(), desc="estimating quality", unit="case"):
        judge = partial(assess, case, image, prediction, dataset, references, calibration)
        found.append(_assessed(args.output / CASES, digest([image, prediction]) + mark, case, judge))
    alone = {one.case: one for one in found}
    if args.compare:
        join = partial(_with_others, others, pairs, dataset.labels, calibration.estimator)
        found = [join(one) for one in tqdm(found, desc="comparing with other predictions", unit="case")]
    if model is not None:
        weights = digest([args.model / f"fold_{args.fold}" / FINAL_CHECKPOINT])
        disagree = partial(_with_branches, args.output / BRANCHES, weights, model, pairs, dataset)
        found = [disagree(one) for one in tqdm(found, desc="comparing head and atlases", unit="case")]
    found.sort(key=lambda one: one.urgency)
    write_tables(args.output, found, calibration.estimator)
    pictures = args.output / CASES
    drawn = [alone[one.case] for one in found]  # kept pictures show the organ that is worst without other predictions
    shown = draw_first(pictures, drawn, args.pictures, pairs, dataset, lattice_of_all(references).pose)
    write_quality_page(args.output / PAGE, found, shown, f"{dataset.name}, fold {args.fold}", calibration.estimator)
    for one in found:
        for text in one.marks:
            print(f"{one.case}: {text}")
    print(few_scans(calibration.estimator))
    print(f"wrote {args.output / PAGE} and {args.output / CSV}")


def draw_first(
    folder: Path,
    found: Sequence[Assessment],
    count: int,
    pairs: Mapping[str, tuple[Path, Path]],
    dataset: RawDataset,
    pose: Pose,
) -> dict[str, Path]:
    """Pictures of the first ``count`` cases that are usable; those of all others are removed.

    The second opinions were made in the ``pose``.
    """
    first = [one for one in found[:count] if one.organs]
    shown = {one.case: folder / f"{one.case}.jpg" for one in first}
    for one in found:
        if one.case not in shown:
            (folder / f"{one.case}.jpg").unlink(missing_ok=True)
    for one in first:
        if not shown[one.case].is_file():
            with np.load(folder / f"{one.case}.npz") as kept:
                draw_case(shown[one.case], one, *pairs[one.case], dataset, kept["opinion"], pose)
    return shown


def find_pairs(predictions: Path, images: Path, ending: str) -> dict[str, tuple[Path, Path]]:
    """Scan and prediction of each case that was predicted.

    Raises:
        UserError: a folder does not exist or is empty, or a prediction has no scan.
    """
    for folder in (predictions, images):
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder: give the folder of the predictions, and that of their scans")
    found = {}
    for file in listed(predictions, ending):
        case = file.name.removesuffix(ending)
        scans = [images / image_name(case, 0, ending), images / label_name(case, ending)]
        present = [scan for scan in scans if scan.is_file()]
        if not present:
            raise UserError(f"{file} has no scan: {scans[0]} does not exist, give its folder with --images")
        found[case] = (present[0], file)
    if not found:
        raise UserError(f"{predictions} holds no *{ending}: give the folder of the predicted label maps")
    return found


def other_files(
    folders: Sequence[Path], predictions: Path, pairs: Mapping[str, tuple[Path, Path]]
) -> dict[str, tuple[Path, ...]]:
    """The segmentations of each case in other folders, which have the names of its prediction.

    Raises:
        UserError: one of the folders is that of the predictions, or given twice, or lacks a case.
    """
    known = {predictions.resolve()}
    for folder in folders:
        if folder.resolve() in known:
            raise UserError(f"{folder} is given twice: give predictions of other models with --compare, each once")
        known.add(folder.resolve())
        for _, prediction in pairs.values():
            if not (other := folder / prediction.name).is_file():
                raise UserError(f"{other} does not exist: predict the same scans there, or leave the folder out")
    return {case: tuple(folder / prediction.name for folder in folders) for case, (_, prediction) in pairs.items()}


def validation_files(folders: Iterable[Path], validation: Sequence[str], ending: str) -> list[tuple[str, Path]]:
    """Predictions of validation cases in folders, each with the name of its case; others are passed over.

    Raises:
        UserError: a folder has none.
    """
    found = []
    for folder in folders:
        here = [(case, folder / label_name(case, ending)) for case in validation]
        here = [(case, file) for case, file in here if file.is_file()]
        if not here:
            raise UserError(f"{folder} has no prediction of a validation scan ({', '.join(validation)}): leave it out")
        found += here
    return found


def digest(files: Iterable[Path]) -> str:
    """A digest of the content of files and of the version of this package."""
    state = hashlib.sha256(f"{version('mass-nnunet')} {FORMAT}".encode())
    for file in files:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                state.update(block)
    return state.hexdigest()[:20]


def _calibrated(
    file: Path, mark: str, dataset: RawDataset, references: dict[str, Reference], predicted: list[tuple[str, Path]]
) -> Calibration:
    """The calibration of an earlier run with the same files, or a new one."""
    if file.is_file():
        kept = read_json(file, "remove it")
        if kept.get("digest") == mark:
            return Calibration.from_json(kept)
    shares: dict[str, list[np.ndarray]] = {}
    for case, path in predicted:
        if (own := references.get(case)) is not None:
            its = read_shares(path, dataset.labels, own.scan.lattice).shares
            shares.setdefault(case, []).append(its[:, own.kept])
    found = calibrate(references, shares, partial(tqdm, desc="calibrating on annotated scans", unit="scan"))
    write_json(file, {"digest": mark} | found.as_json())
    return found


def _with_others(
    others: Mapping[str, Sequence[Path]],
    pairs: Mapping[str, tuple[Path, Path]],
    labels: Labels,
    estimator: Estimator,
    one: Assessment,
) -> Assessment:
    """An assessment in which the agreement with other predictions counts; those that do not count are named."""
    if not one.organs:
        return one
    agreed, notes = agreement(pairs[one.case][1], others[one.case], labels)
    for note in notes:
        tqdm.write(f"note: {note}")
    return one.with_others(agreed, estimator)


def _with_branches(
    folder: Path,
    weights: str,
    model: Model,
    pairs: Mapping[str, tuple[Path, Path]],
    dataset: RawDataset,
    one: Assessment,
) -> Assessment:
    """An assessment with how much head and atlases disagree: from an earlier run with the same files, or a new one."""
    if not one.organs:
        return one
    image, _ = pairs[one.case]
    files = [
        image,
        *(image.with_name(image_name(one.case, c, dataset.ending)) for c in range(1, len(dataset.channels))),
    ]
    own = weights + digest(file for file in files if file.is_file())
    try:
        return one.with_branches(kept_disagreements(folder / f"{one.case}.json", own, model, files))
    except UserError as error:  # one bad file must not stop the others
        return replace(one, marks=(*one.marks, *str(error).splitlines()))


def _assessed(folder: Path, own: str, case: str, judge: Callable[[], tuple[Assessment, Evidence]]) -> Assessment:
    """The assessment of a case: that of an earlier run with the same files, or a new one, with its second opinion."""
    file, opinion = folder / f"{case}.json", folder / f"{case}.npz"
    if file.is_file():
        kept = read_json(file, "remove it")
        if kept.get("digest") == own and (opinion.is_file() or not kept["organs"]):
            return Assessment.from_json(kept)
    (folder / f"{case}.jpg").unlink(missing_ok=True)
    try:
        found, evidence = judge()
        with atomic_path(opinion) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, opinion=evidence.opinion)
    except UserError as error:  # one bad file must not stop the others
        opinion.unlink(missing_ok=True)
        found = Assessment(case, (), tuple(str(error).splitlines()))
    write_json(file, {"digest": own} | found.as_json())
    return found
