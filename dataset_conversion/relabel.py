"""``mass_nnunet relabel -d ID --map ...``: a dataset with other labels of the scans of another one."""

import argparse
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.data.annotated import ANNOTATED_JSON
from mass_nnunet.data.dataset_json import DATASET_JSON, turned_by_reader
from mass_nnunet.data.files import link_or_copy, read_json, write_json
from mass_nnunet.data.outside import PSEUDO
from mass_nnunet.data.raw import PATIENTS_JSON, TEST, TRAINING, Part, RawDataset
from mass_nnunet.data.volume import ORIENTATION, label_like, read_volume, write_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE, number_labels
from mass_nnunet.runtime.workers import map_cases

from .checks.ends import unannotated_ends
from .raw_dataset import dataset_path
from .source import map_labels, visible_files

_RECORD = "relabel.json"
"""File in the folder of an unfinished dataset with what it is made of, and how."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet relabel``."""
    parser.add_argument("-d", type=int, required=True, metavar="ID", help="the dataset")
    parser.add_argument(
        "--map",
        nargs="+",
        metavar="NEW=OLD",
        help="labels of the new dataset: liver keeps one, kidney=right_kidney,left_kidney joins several; the rest is "
        "background (default: all of them)",
    )
    parser.add_argument(
        "--ignore-ends",
        action="store_true",
        help="set slices at the ends of a scan that nobody annotated, as `mass_nnunet check` finds them, to nnU-Net's "
        "label ignore",
    )
    parser.add_argument("--to", type=int, metavar="ID", help="id of the new dataset (default: the next free one)")
    parser.add_argument(
        "--name", help="NAME in DatasetXXX_NAME of the new dataset (default: that of the old one, with -relabelled)"
    )
    parser.add_argument("-np", "--processes", type=int, default=2, help="worker processes (default 2)")


def run(args: argparse.Namespace) -> None:
    """Write the new dataset. After an interruption a second call continues."""
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    dataset = RawDataset.load(args.d)
    if not args.map and not args.ignore_ends:
        raise UserError("give --map, --ignore-ends, or both")
    if not args.map and dataset.regions:
        raise UserError(f"the labels of {dataset.name} are regions: give --map, with labels that exclude each other")
    definitions = args.map or [name for name in dataset.labels if name != BACKGROUND]
    labels, table = parse_map(definitions, dataset.labels, dataset.name)
    annotated = _annotated(dataset, sources_of(definitions))
    if (ignored := dataset.values.get(IGNORE)) is not None:
        table[ignored] = len(labels)
    if ignored is not None or args.ignore_ends:
        labels[IGNORE] = len(labels)
    name = args.name or f"{dataset.name.split('_', 1)[1]}-relabelled"
    folder = dataset_path(_next_free(args.d) if args.to is None else args.to, name)
    if folder.exists():
        raise UserError(f"{folder} exists: delete it first, or choose another id with --to")
    staging = folder.with_name(f".tmp-{folder.name}")
    ends = Ends(labels[IGNORE], stored=not turned_by_reader(dataset.content)) if args.ignore_ends else None
    _begin(staging, dataset, {"labels": labels, "table": [*map(list, table.items())], "ignore ends": args.ignore_ends})
    _link_scans(dataset, staging)
    for part in (TRAINING, TEST):
        (staging / part.labels).mkdir(parents=True, exist_ok=True)
    for its_ends, folders in ((ends, [TRAINING.labels, TEST.labels]), (None, [PSEUDO])):
        found = [path for its in folders for path in visible_files(dataset.folder / its, dataset.ending)]
        label_files = [(path, staging / path.parent.name / path.name) for path in found]
        job = partial(_relabel, table=table, ends=its_ends)
        map_cases(job, label_files, processes=args.processes, description="relabelling")
    content = {key: value for key, value in dataset.content.items() if key != "regions_class_order"}
    write_json(staging / PATIENTS_JSON, dataset.patients())
    if annotated:
        write_json(staging / ANNOTATED_JSON, annotated)
    write_json(staging / DATASET_JSON, content | {"labels": labels})
    (staging / _RECORD).unlink()
    staging.rename(folder)
    print(f"wrote {folder} with labels {labels}")


def parse_map(
    definitions: Sequence[str], old: Mapping[str, int], dataset: str
) -> tuple[dict[str, int], dict[int, int]]:
    """Labels of the new dataset, and the table from old to new label values.

    Args:
        definitions: each is ``NAME`` or ``NEW=OLD,OLD``.
        old: labels of the dataset.
        dataset: its name, for messages.

    Raises:
        UserError: a definition is not of that form, or names a label that does not exist, or a label twice.
    """
    sources = sources_of(definitions)
    used = [name for names in sources.values() for name in names]
    for name in used:
        if name not in old or name == BACKGROUND:
            raise UserError(f"--map: {dataset} has no label {name}, but {', '.join(n for n in old if n != BACKGROUND)}")
        if used.count(name) > 1:
            raise UserError(f"--map uses {name} twice: a voxel can have one label only")
    labels = number_labels(sources)
    table = dict.fromkeys(old.values(), 0) | {old[o]: labels[new] for new, names in sources.items() for o in names}
    return labels, table


def sources_of(definitions: Sequence[str]) -> dict[str, list[str]]:
    """Names of the old labels, by those of the new ones.

    Raises:
        UserError: a definition is not of the form ``NAME`` or ``NEW=OLD,OLD``.
    """
    sources: dict[str, list[str]] = {}
    for definition in definitions:
        match = re.fullmatch(r"(\w+)(?:=(\w+(?:,\w+)*))?", definition)
        if match is None:
            raise UserError(f"--map {definition} is not NAME or NEW=OLD,OLD")
        sources.setdefault(match[1], []).extend((match[2] or match[1]).split(","))
    return sources


def _annotated(dataset: RawDataset, sources: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The annotated structures of the new dataset: those of which all the old ones were annotated.

    Raises:
        UserError: a case has none.
    """
    annotated = {
        case: [new for new, old in sources.items() if set(old) <= set(names)]
        for case, names in dataset.annotated().items()
    }
    for case, names in annotated.items():
        if not names:
            raise UserError(
                f"{dataset.folder / ANNOTATED_JSON}: no new structure was annotated in {case}: keep one that was with "
                "--map, or move the scan to imagesUn"
            )
    return annotated


def _next_free(dataset_id: int) -> int:
    return next(number for number in range(dataset_id + 1, 1001) if len(find_candidate_datasets(number)) == 0)


def _begin(staging: Path, dataset: RawDataset, options: Mapping[str, object]) -> None:
    """Delete what a killed run has left that had other options or other files."""
    folders = [*Part, TRAINING.labels, TEST.labels, PSEUDO]
    files = [path for name in folders for path in visible_files(dataset.folder / name, dataset.ending)]
    states = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    record, content = staging / _RECORD, {**options, "files": states}
    if not record.is_file() or read_json(record, "delete it") != content:
        shutil.rmtree(staging, ignore_errors=True)
    write_json(record, content)


def _link_scans(dataset: RawDataset, staging: Path) -> None:
    """Hard links to the images, or copies where the file system has no such links."""
    for part in Part:
        (staging / part).mkdir(parents=True, exist_ok=True)
        for path in visible_files(dataset.folder / part, dataset.ending):
            if not (staging / part / path.name).exists():
                link_or_copy(path, staging / part / path.name)


class Ends(NamedTuple):
    """What becomes of slices that nobody annotated.

    Attributes:
        ignore: their label.
        stored: whether nnU-Net reads label maps in their stored axes; otherwise it turns them to RAS.
    """

    ignore: int
    stored: bool

    def marked(self, label: sitk.Image) -> sitk.Image:
        """A label map in which they are ignored."""
        turned = label if self.stored else sitk.DICOMOrient(label, ORIENTATION)
        values = sitk.GetArrayFromImage(turned)
        before, after = unannotated_ends(np.where(values == self.ignore, 0, values))
        values[:before] = self.ignore
        values[len(values) - after :] = self.ignore
        code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(label.GetDirection())
        marked = label_like(turned, values)
        return marked if self.stored else sitk.DICOMOrient(marked, code)


def _relabel(files: tuple[Path, Path], *, table: Mapping[int, int], ends: Ends | None) -> None:
    source, final = files
    if final.exists():
        return
    label = read_volume(source)
    relabelled = label_like(label, map_labels(sitk.GetArrayViewFromImage(label), table, source))
    write_volume(relabelled if ends is None else ends.marked(relabelled), final)
