"""TotalSegmentator (Wasserthal et al. 2023): CTs of any part of the body, or MRIs, one file a structure.

Option --labels says which structures are taken. An organ without a voxel is outside of the scan, and a scan without any
of the organs is left out. The authors' test scans become the test part.
"""

import argparse
import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mass_nnunet.data.nifti_file import ENDINGS
from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.options import add_dataset_id
from mass_nnunet.dataset_conversion.readers.mask_case import MaskCase
from mass_nnunet.dataset_conversion.readers.nifti_case import keyed
from mass_nnunet.dataset_conversion.source import Source, Target, stem, visible_files
from mass_nnunet.errors import UserError
from mass_nnunet.labels import number_labels

NAME = "totalsegmentator"
TITLE = "TotalSegmentator: CT or MRI of the whole body"
LICENCE = "CC BY 4.0 (CT, version 2), CC BY-NC-SA 2.0 (MRI, version 2): see zenodo for the version at hand"
REFERENCE = (
    "Wasserthal et al., TotalSegmentator: robust segmentation of 104 anatomic structures in CT images, Radiology: "
    "Artificial Intelligence 2023; Akinci D'Antonoli et al., TotalSegmentator MRI: robust sequence-independent "
    "segmentation of multiple anatomic structures in MRI, Radiology 2025"
)
_ORGANS = ("spleen", "right_kidney=kidney_right", "left_kidney=kidney_left", "liver")
_CHANNELS = {"ct": "CT", "mri": "MRI"}
_PARTS = {"train": Part.TRAINING, "val": Part.TRAINING, "test": Part.TEST}
_MASKS = "segmentations"
_TABLE = "meta.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert totalsegmentator``."""
    add_dataset_id(parser)
    parser.add_argument(
        "--labels",
        nargs="+",
        default=_ORGANS,
        metavar="NAME=STRUCTURES",
        help=f"organs and the structures that they are: pancreas kidney=kidney_left,kidney_right ({' '.join(_ORGANS)})",
    )


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The dataset that ``mass_nnunet convert totalsegmentator`` writes.

    Raises:
        UserError: an option is wrong, or as in :func:`find_cases`.
    """
    structures = parse_structures(args.labels)
    labels = number_labels(structures)
    channel, cases = find_cases(source, {labels[name]: files for name, files in structures.items()})
    return [Target(args.dataset_id, f"TotalSegmentator{channel}", channel, labels, cases, LICENCE, REFERENCE)]


def parse_structures(definitions: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The structures of each organ.

    Args:
        definitions: ``NAME`` or ``NAME=STRUCTURE,STRUCTURE`` each.

    Raises:
        UserError: a definition is not of that form, or a name or a structure occurs twice.
    """
    structures: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for definition in definitions:
        match = re.fullmatch(r"([A-Za-z]\w*)(?:=(\w+(?:,\w+)*))?", definition)
        if match is None:
            raise UserError(f"--labels {definition} is not NAME or NAME=STRUCTURES, such as right_kidney=kidney_right")
        name = match[1]
        if name in structures:
            raise UserError(f"--labels names {name} twice: give all its structures at once, {name}=A,B")
        structures[name] = tuple((match[2] or name).split(","))
        for structure in structures[name]:
            if (other := owners.setdefault(structure, name)) != name:
                raise UserError(f"--labels takes {structure} for {other} and for {name}: leave one of them out")
    return structures


def find_cases(source: Source, structures: Mapping[int, tuple[str, ...]]) -> tuple[str, list[MaskCase]]:
    """The channel, and all scans in folders like ``s0004``, at any depth.

    Args:
        source: where to search.
        structures: names of the structures that are one organ, by the dataset's label of that organ.

    Raises:
        UserError: there are no scans, or scans of two modalities, or no scan has a structure, or ``meta.csv`` is
            damaged.
    """
    images: dict[str, list[Path]] = {channel: [] for channel in _CHANNELS.values()}
    parts: dict[str, Part] = {}
    for folder, _, names in source.walk():
        if _TABLE in names:
            parts |= read_parts(folder / _TABLE)
        for image in visible_files(folder, *ENDINGS):
            if stem(image) in _CHANNELS:
                images[_CHANNELS[stem(image)]].append(image)
    taken = [channel for channel, files in images.items() if files]
    if not taken:
        raise UserError(f"{source.path} holds no TotalSegmentator scan: expected s0000/ct.nii.gz or s0000/mri.nii.gz")
    if len(taken) > 1:
        raise UserError(f"{source.path} holds CT and MRI: give the folder of one release at a time")
    cases = []
    present: set[str] = set()
    for image in images[taken[0]]:
        masks = keyed(((stem(path), path) for path in visible_files(image.parent / _MASKS, *ENDINGS)), "mask of")
        present |= masks.keys()
        cases.append(_case(image, masks, structures, parts))
    wanted = [structure for names in structures.values() for structure in names]
    if strangers := [structure for structure in wanted if structure not in present]:
        raise UserError(
            f"no scan of {source.path} has {_MASKS}/{strangers[0]}.nii.gz: name in --labels the files of each organ"
        )
    return taken[0], cases


def _case(
    image: Path, masks: Mapping[str, Path], structures: Mapping[int, tuple[str, ...]], parts: Mapping[str, Part]
) -> MaskCase:
    files = {value: [masks.get(name) for name in names] for value, names in structures.items()}
    whole = {value: tuple(path for path in its if path) for value, its in files.items() if all(its)}
    name = image.parent.resolve().name
    return MaskCase(
        name=name,
        patient=name,
        image=image,
        label=image.parent / _MASKS if whole else None,
        part=parts.get(name) if whole else None,
        masks=whole,
        complete=len(whole) == len(structures),
    )


def read_parts(path: Path) -> dict[str, Part]:
    """The authors' part of each scan; their scans for validation are ours for training.

    Args:
        path: ``meta.csv``, which has its columns divided by semicolons.

    Raises:
        UserError: it lacks a column, or names another part.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    try:
        return {row["image_id"]: _PARTS[row["split"]] for row in rows}
    except KeyError as error:
        raise UserError(
            f"{path} has no {error.args[0]!r}, but needs the columns image_id and split, with {', '.join(_PARTS)}: "
            "download it again, or remove it"
        ) from None
