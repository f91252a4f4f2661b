"""``mass_nnunet visualize``: a page with the predictions of a trained model for some cases, by branch."""

import argparse
from pathlib import Path

from mass_nnunet.data.paths import FINAL_CHECKPOINT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet visualize``; those that name the model are the same as in nnU-Net."""
    parser.add_argument("cases", nargs="+", metavar="CASE", help="cases of imagesTs, imagesTr or imagesUn")
    parser.add_argument("-d", type=int, required=True, metavar="ID", help="dataset id")
    parser.add_argument("-o", "--output", type=Path, default=Path("visualize.html"), help="default visualize.html")
    parser.add_argument("-f", "--fold", type=int, default=0, help="default 0")
    parser.add_argument("-tr", "--trainer", default="MASSTrainer", help="default MASSTrainer")
    parser.add_argument("-p", "--plans", default="MASSPlans", help="default MASSPlans")
    parser.add_argument("-c", "--configuration", default="3d_fullres", help="default 3d_fullres")
    parser.add_argument("-chk", "--checkpoint", default=FINAL_CHECKPOINT, help=f"default {FINAL_CHECKPOINT}")
    parser.add_argument("-device", choices=("cpu", "cuda", "mps"), help="default: cuda if there is one, else cpu")


def run(args: argparse.Namespace) -> None:
    """Write the page."""
    from .model_page import write_model_page

    write_model_page(args)
