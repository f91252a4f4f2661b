"""Command-line options that several converters share."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from .pose import Pose, usual_pose

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


def add_pose(parser: argparse.ArgumentParser) -> None:
    """Declare ``--pose``, for a source with scans at any angle."""
    parser.add_argument(
        "--pose",
        choices=(_AUTO, *(pose.value for pose in Pose)),
        default=_AUTO,
        help="order of the axes: upright (nearest anatomical axes) or slices (oblique slices stay slices); auto takes "
        "slices if most scans are oblique (auto). All datasets of a group need the same",
    )


def chosen_pose(word: str, scans: Iterable[Path]) -> Pose:
    """The pose that ``--pose`` names; ``auto`` looks at the headers of the scans."""
    return usual_pose(scans) if word == _AUTO else Pose(word)
