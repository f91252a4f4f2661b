"""``mass_nnunet suggest``: which unlabelled scans to annotate next, and their export to an editor."""

import argparse
from pathlib import Path

from mass_nnunet.data.paths import FINAL_CHECKPOINT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet suggest``; those that name the model are the same as in nnU-Net."""
    parser.add_argument("-d", type=int, nargs="+", required=True, metavar="ID", help="dataset ids, such as 801 802")
    parser.add_argument("-n", type=int, default=5, help="number of scans (default 5)")
    parser.add_argument("-f", "--fold", type=int, default=0, help="fold of the splits, and of the model (default 0)")
    parser.add_argument(
        "-tr", "--trainer", help="trainer of the model, such as MASSTrainer (default: no model, by coverage alone)"
    )
    parser.add_argument("-p", "--plans", default="MASSPlans", help="plans of the model (default MASSPlans)")
    parser.add_argument("-c", "--configuration", default="3d_fullres", help="of the model (default 3d_fullres)")
    parser.add_argument("-chk", "--checkpoint", default=FINAL_CHECKPOINT, help=f"default {FINAL_CHECKPOINT}")
    parser.add_argument("-device", choices=("cpu", "cuda", "mps"), help="default: cuda if there is one, else cpu")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="ask only the head of the model how sure it is; otherwise the inference of its plans is asked, too, "
        "which takes about fifty times as long if it uses atlases",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("suggestion.html"),
        help="the page; .csv and .json are written beside it (default suggestion.html)",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FOLDER",
        help="also put the scans into this new folder, with what the model proposes as labels, for 3D Slicer, ITK-SNAP "
        "or MITK; `mass_nnunet annotate-in` takes the corrected labels back",
    )
    parser.add_argument("-np", type=int, default=2, help="processes that read scans (default 2)")


def run(args: argparse.Namespace) -> None:
    """Write the list, the page and the export."""
    from .suggesting import write_suggestions

    write_suggestions(args)
