"""``mass_nnunet to-dicom PREDICTIONS --series SRC -o OUT``: predictions as DICOM segmentations of their series."""

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import read_json
from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.data.volume import SIMILAR_GRID, aligned, grid_distance, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import IGNORE

from .archive import opened
from .dicom.export import Export, Series, read_export
from .dicom.pseudonyms import known_series
from .dicom.segmentation import write_segmentation
from .dicom.stacks import Stack
from .dicom.voxels import image_of, slices_of
from .readers.nifti_case import keyed
from .source import map_labels, stem, visible_files

ENDING = ".dcm"
"""Ending of the files that are written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet to-dicom``."""
    parser.add_argument(
        "predictions", type=Path, metavar="PREDICTIONS", help="folder of nnUNetv2_predict, with dataset.json"
    )
    parser.add_argument("--series", type=Path, required=True, metavar="SRC", help="folder or zip of the DICOM series")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the segmentations")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="key file of `convert dicom`, if the scans were converted with one"
    )
    parser.add_argument(
        "--model", default="MASSTrainer", metavar="NAME", help="name of the algorithm (default MASSTrainer)"
    )


def run(args: argparse.Namespace) -> None:
    """Write a segmentation for each prediction. It holds the patient's name and id, as a viewer needs them.

    Raises:
        UserError: a folder is bad, or a prediction has no series, or is not on its grid, or OUT has a segmentation of
            another run.
    """
    files = keyed(((stem(path), path) for path in visible_files(args.predictions, *ENDINGS)), "prediction")
    if not files:
        raise UserError(f"{args.predictions} holds no NIfTI file (*.nii.gz, *.nii): give the folder of the predictions")
    labels = _labels(args.predictions)
    _check_output(args.output, files)
    with opened(args.series, confidential=True) as source:
        export = read_export(source, None, args.key)
        known = {} if args.key is None else known_series(args.key)
        for name, path in files.items():
            prediction = read_volume(path)
            series, stack = _series_of(export, name, path, prediction, known)
            label = labels_on(stack, prediction, path, labels)
            write_segmentation(args.output / f"{name}{ENDING}", label, stack, labels, args.model, series.title)
    print(f"wrote {len(files)} segmentations to {args.output}: they hold the patients' names and ids")


def labels_on(stack: Stack, prediction: sitk.Image, path: Path, labels: Mapping[str, int]) -> np.ndarray:
    """Values of a prediction (Z, Y, X) on the slices of its series, however its axes are stored.

    Args:
        stack: slices of the series.
        prediction: a label map on the scan's grid.
        path: its file, for messages.
        labels: labels of the dataset.

    Raises:
        UserError: the prediction holds another value.
    """
    turned = sitk.GetArrayFromImage(aligned(prediction, _empty(stack)))
    return slices_of(stack, map_labels(turned, {value: value for value in (0, *labels.values())}, path))


def _check_output(folder: Path, names: Collection[str]) -> None:
    """A segmentation of an earlier run, which an archive would take for one of these, is refused."""
    if strange := sorted(path for path in folder.glob(f"*{ENDING}") if path.stem not in names):
        raise UserError(f"{strange[0]} is of none of these predictions: remove it, or name another folder by -o")


def _labels(folder: Path) -> dict[str, int]:
    file = folder / DATASET_JSON
    content = read_json(file, "nnUNetv2_predict writes it; copy that of the raw dataset")
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, int) and value >= 0 for value in labels.values()):
        raise UserError(f"{file} has no labels with one value each: regions cannot be written")
    if max(labels.values(), default=0) == 0:
        raise UserError(f"{file} names no organ: copy that of the raw dataset")
    return {name: value for name, value in labels.items() if name != IGNORE}


def _series_of(
    export: Export, name: str, path: Path, prediction: sitk.Image, known: Mapping[str, str]
) -> tuple[Series, Stack]:
    """The series of a prediction, which must be on its grid: by its name, or the only one on the grid.

    Pseudonyms depend on all patients of an export. So a name counts with a key file, or if it is a SeriesInstanceUID.

    Args:
        export: the export.
        name: name of the prediction.
        path: its file, for messages.
        prediction: the label map.
        known: SeriesInstanceUID of each case, from the key file.

    Raises:
        UserError: there is no such series, or several.
    """
    candidates = [(one, one.stack) for one in export.series if one.stack is not None and not one.fault]
    uid = known.get(name, name)
    named = [(one, stack) for one, stack in candidates if one.uid == uid]
    if name in known and not named:
        raise UserError(f"{path} has no series in {export.path}: give the export that it was converted from")
    found = [(one, stack) for one, stack in named or candidates if _on_grid(prediction, stack)]
    part = name.split("-")[1:]  # of a series that holds several scans
    if named and len(found) > 1:
        found = [(one, stack) for one, stack in found if one.name.split("-")[1:] == part]
    if len(found) == 1:
        return found[0]
    if found:
        titles = " and ".join(one.title for one, _ in found)
        raise UserError(f"{path} lies on the grid of {titles}: give --key, or name it by its SeriesInstanceUID")
    where = named[0][0].title if named else f"any series in {export.path}"
    raise UserError(f"{path} does not lie on the grid of {where}: give the series that it was predicted from")


def _on_grid(prediction: sitk.Image, stack: Stack) -> bool:
    scan = _empty(stack)
    return grid_distance(scan, aligned(prediction, scan)) <= SIMILAR_GRID


def _empty(stack: Stack) -> sitk.Image:
    """A scan of zeros on the grid of a stack."""
    return image_of(stack, np.zeros((len(stack.planes), *stack.planes[0].size), np.uint8))
