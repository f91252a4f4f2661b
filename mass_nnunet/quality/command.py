"""``mass_nnunet quality``: how good are segmentations whose truth is not known, and where to look."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet quality``."""
    parser.epilog = (
        "Only label maps are needed: they may come from any nnU-Net model or any other program. Annotations of the "
        "fold's training and validation scans are read; those of test scans and hidden ones never."
    )
    parser.add_argument("predictions", type=Path, help="folder of label maps CASE.nii.gz")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="their scans, CASE_0000.nii.gz")
    parser.add_argument("-d", type=int, required=True, metavar="ID", help="dataset of the same modality and labels")
    parser.add_argument("-f", "--fold", type=int, default=0, help="fold whose annotations may be read (default 0)")
    parser.add_argument("-o", "--output", type=Path, default=Path("quality"), metavar="DIR", help="default quality/")
    parser.add_argument(
        "--validation",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="predictions of the fold's validation scans by the same model, such as fold_0/validation: they calibrate",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="predictions of the same scans by other trainings or programs: how well they agree with these counts as "
        "much as what the annotations say",
    )
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        metavar="DIR",
        help="results folder of MASSTrainer, which holds fold_0: its head and its atlases segment each scan, and the "
        "page says where they disagree; this takes as long as predicting",
    )
    parser.add_argument("--pictures", type=int, default=30, help="pictures of so many cases at most (default 30)")


def run(args: argparse.Namespace) -> None:
    """Write the tables and the page."""
    from .folder import assess_folder

    assess_folder(args)
