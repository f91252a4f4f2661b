"""Command-line options that several converters share."""

import argparse


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
