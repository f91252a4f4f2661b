"""``mass_nnunet relabel -d ID --map ...``: a dataset with some of the labels of another one, and the same scans."""

import argparse
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import SimpleITK as sitk
from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import atomic_path, write_json
from mass_nnunet.data.raw import PATIENTS_JSON, TEST, TRAINING, Part, RawDataset
from mass_nnunet.data.volume import label_like, read_volume, write_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, number_labels
from mass_nnunet.runtime.workers import map_cases

from .raw_dataset import dataset_path
from .source import map_labels, visible_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet relabel``."""
    parser.add_argument("-d", type=int, required=True, metavar="ID", help="the dataset")
    parser.add_argument(
        "--map",
        nargs="+",
        required=True,
        metavar="NEW=OLD",
        help="labels of the new dataset: liver keeps one, kidney=right_kidney,left_kidney joins several; the rest is "
        "background",
    )
    parser.add_argument("--to", type=int, metavar="ID", help="id of the new dataset (default: the next free one)")
    parser.add_argument("--name", help="of the new dataset, DatasetXXX_NAME (default: the old one's, with -relabelled)")
    parser.add_argument("-np", "--processes", type=int, default=2, help="worker processes (2)")


def run(args: argparse.Namespace) -> None:
    """Write the new dataset. After an interruption a second call continues."""
    if args.processes < 1:
        raise UserError(f"-np {args.processes} is not at least 1")
    dataset = RawDataset.load(args.d)
    labels, table = parse_map(args.map, dataset.labels, dataset.name)
    name = args.name or f"{dataset.name.split('_', 1)[1]}-relabelled"
    folder = dataset_path(_next_free(args.d) if args.to is None else args.to, name)
    if folder.exists():
        raise UserError(f"{folder} exists: delete it first, or choose another id with --to")
    staging = folder.with_name(f".tmp-{folder.name}")
    _link_scans(dataset, staging)
    label_files = [
        (path, staging / part.labels / path.name)
        for part in (TRAINING, TEST)
        for path in visible_files(dataset.label_folder(part), dataset.ending)
    ]
    for part in (TRAINING, TEST):
        (staging / part.labels).mkdir(parents=True, exist_ok=True)
    map_cases(partial(_relabel, table=table), label_files, processes=args.processes, description="relabelling")
    content = {key: value for key, value in dataset.content.items() if key != "regions_class_order"}
    write_json(staging / PATIENTS_JSON, dataset.patients())
    write_json(staging / DATASET_JSON, content | {"labels": labels})
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
    sources: dict[str, list[str]] = {}
    for definition in definitions:
        match = re.fullmatch(r"(\w+)(?:=(\w+(?:,\w+)*))?", definition)
        if match is None:
            raise UserError(f"--map {definition} is not NAME or NEW=OLD,OLD")
        sources.setdefault(match[1], []).extend((match[2] or match[1]).split(","))
    used = [name for names in sources.values() for name in names]
    for name in used:
        if name not in old or name == BACKGROUND:
            raise UserError(f"--map: {dataset} has no label {name}, but {', '.join(n for n in old if n != BACKGROUND)}")
        if used.count(name) > 1:
            raise UserError(f"--map uses {name} twice: a voxel can have one label only")
    labels = number_labels(sources)
    table = dict.fromkeys(old.values(), 0) | {old[o]: labels[new] for new, names in sources.items() for o in names}
    return labels, table


def _next_free(dataset_id: int) -> int:
    return next(number for number in range(dataset_id + 1, 1001) if len(find_candidate_datasets(number)) == 0)


def _link_scans(dataset: RawDataset, staging: Path) -> None:
    """Hard links to the images, or copies where the file system has no such links."""
    for part in Part:
        (staging / part).mkdir(parents=True, exist_ok=True)
        for path in visible_files(dataset.folder / part, dataset.ending):
            final = staging / part / path.name
            if final.exists():
                continue
            try:
                os.link(path, final)
            except OSError:
                with atomic_path(final) as temporary:
                    shutil.copy2(path, temporary)


def _relabel(files: tuple[Path, Path], *, table: Mapping[int, int]) -> None:
    source, final = files
    if final.exists():
        return
    label = read_volume(source)
    write_volume(label_like(label, map_labels(sitk.GetArrayViewFromImage(label), table, source)), final)
