"""Command-line options that several converters share."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from mass_nnunet.data.pose import Pose, usual_pose
from mass_nnunet.errors import UserError

CHANNELS = {"CT": "CT", "MR": "MRI"}
"""nnU-Net's channel name for each modality of ``--modality``."""
_AUTO = "auto"


def add_dataset_id(parser: argparse.ArgumentParser) -> None:
    """Declare ``-d ID``, for a source of one modality."""
    parser.add_argument("-d", "--dataset-id", type=int, required=True, metavar="ID", help="nnU-Net dataset id")


def add_ct_and_mri_ids(parser: argparse.ArgumentParser, example: str) -> None:
    """Declare ``-d CT MRI``, for a source of both modalities."""
    parser.add_argument(
        "-d",
        "--dataset-ids",
        type=int,
        nargs=2,
        required=True,
        metavar=("CT", "MRI"),
        help=f"nnU-Net dataset ids of the CT and of the MRI dataset, such as {example}",
    )


def add_naming(parser: argparse.ArgumentParser) -> None:
    """Declare what only the user knows of a source: modality, name, licence and reference."""
    parser.add_argument(
        "--modality",
        choices=tuple(CHANNELS),
        required=True,
        help="modality of the scans; CT must be in Hounsfield units",
    )
    parser.add_argument("--name", help="NAME in DatasetXXX_NAME (default CT or MRI)")
    parser.add_argument("--licence", metavar="TEXT", help="licence of the scans, for dataset.json")
    parser.add_argument("--reference", metavar="TEXT", help="reference to cite for the scans, for dataset.json")


def dataset_name(args: argparse.Namespace) -> str:
    """The name that ``--name`` gives a dataset, or that of its modality.

    Raises:
        UserError: nnU-Net cannot use the name.
    """
    name = str(args.name or CHANNELS[args.modality])
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise UserError(f"--name {name}: use letters, digits, - and _ only")
    return name


def add_pose(parser: argparse.ArgumentParser) -> None:
    """Declare ``--pose``, for a source with scans at any angle."""
    parser.add_argument(
        "--pose",
        choices=(_AUTO, *(pose.value for pose in Pose)),
        default=_AUTO,
        help="order of the axes: upright (nearest anatomical axes) or slices (oblique slices stay slices); auto, the "
        "default, takes slices if most scans are oblique. All datasets of a group need the same",
    )


def chosen_pose(word: str, scans: Iterable[Path]) -> Pose:
    """The pose that ``--pose`` names; ``auto`` looks at the headers of the scans."""
    return usual_pose(scans) if word == _AUTO else Pose(word)
