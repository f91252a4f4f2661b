"""Options that several sources have in common."""

import argparse


def add_dataset_id(parser: argparse.ArgumentParser) -> None:
    """``-d ID``, of a source of one modality."""
    parser.add_argument("-d", "--dataset-id", type=int, required=True, metavar="ID", help="nnU-Net dataset id")


def add_ct_and_mri_ids(parser: argparse.ArgumentParser, example: str) -> None:
    """``-d CT MRI``, of a source of both."""
    parser.add_argument(
        "-d",
        "--dataset-ids",
        type=int,
        nargs=2,
        required=True,
        metavar=("CT", "MRI"),
        help=f"nnU-Net dataset ids of the CT and of the MRI dataset, such as {example}",
    )
