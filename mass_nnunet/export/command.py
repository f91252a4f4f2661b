"""``mass_nnunet export``: write a trained model as a zip without patients' images, by default for stock nnU-Net."""

import argparse
from pathlib import Path

from mass_nnunet.data.paths import FINAL_CHECKPOINT
from mass_nnunet.hyperparameters import INFERENCES_WITHOUT_ATLASES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet export``; those of the model are nnU-Net's."""
    parser.epilog = (
        "The model is the segmentation branch of the dataset's modality, a plain U-Net: it predicts what "
        "--inference segmentation does. With --inference adapted it adapts to a scan's own intensities, and needs this "
        "package. The inferences atlas and fused need the atlases, which are patients' images; they CANNOT be "
        "exported: nnUNetv2_export_model_to_zip passes on the whole model, images included. Once installed, the model "
        "counts as one of nnUNetTrainer (or SingleModalityTrainer), and replaces any other model of this trainer with "
        "the same dataset, plans and configuration."
    )
    parser.add_argument("-d", type=int, required=True, metavar="ID", help="dataset id")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.zip", help="zip to write")
    parser.add_argument(
        "--inference",
        choices=INFERENCES_WITHOUT_ATLASES,
        default=INFERENCES_WITHOUT_ATLASES[0],
        help="what the exported model predicts by: segmentation, for stock nnU-Net (the default), or adapted, for "
        "nnU-Net with this package",
    )
    parser.add_argument("-f", "--folds", nargs="+", type=int, default=[0], metavar="FOLD", help="default 0")
    parser.add_argument("-tr", "--trainer", default="MASSTrainer", help="default MASSTrainer")
    parser.add_argument("-p", "--plans", default="MASSPlans", help="default MASSPlans")
    parser.add_argument("-c", "--configuration", default="3d_fullres", help="default 3d_fullres")
    parser.add_argument(
        "-chk", "--checkpoints", nargs="+", default=[FINAL_CHECKPOINT], help=f"default {FINAL_CHECKPOINT}"
    )
    parser.add_argument("--scores", type=Path, help="what `mass_nnunet evaluate --csv` wrote for this model")
    parser.add_argument("--licence", help="of the model, for its card; default: that of its data, by dataset.json")
    parser.add_argument("--force", action="store_true", help="replace OUT.zip if it exists")


def run(args: argparse.Namespace) -> None:
    """Write the zip."""
    from .shared_model import write_model

    write_model(args)
