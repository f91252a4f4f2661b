"""``mass_nnunet plan``: extract fingerprints, plan all datasets of a group together, and preprocess them."""

import argparse

from nnunetv2.configuration import default_num_processes

from mass_nnunet.hyperparameters import INFERENCES

from .presets import PRESETS

EPOCHS, ITERATIONS = 1000, 250
"""nnU-Net's own schedule."""
INFERENCE = "fused"
"""The most accurate one (docs/concepts/inference.md)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet plan``."""
    parser.add_argument("-d", type=int, nargs="+", required=True, metavar="ID", help="dataset ids, such as 801 802")
    parser.add_argument(
        "--spacing",
        nargs="+",
        default=["native"],
        metavar="MM",
        help="edges of a voxel: native (along each axis the smallest that stock nnU-Net would choose for one of the "
        "datasets: none is coarser than with it; the default), fit (the typical scan of each dataset fits one patch), "
        "or three numbers Z Y X in mm",
    )
    parser.add_argument(
        "--patch-size",
        type=int,
        nargs=3,
        metavar=("Z", "Y", "X"),
        help="voxels of a patch (default: 32 256 256 with --spacing fit and where one axis of the grid is three times "
        "as coarse as the others; elsewhere about as many voxels, in the aspect that nnU-Net would choose)",
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="plain",
        help="network of all modalities: nnU-Net's plain U-Net (the default), or its residual encoder U-Net, planned "
        "for 8 GB (ResEncM) or 24 GB (ResEncL) unless --gpu-memory or --patch-size is given",
    )
    parser.add_argument(
        "--gpu-memory",
        type=float,
        metavar="GB",
        help="memory of the GPU: where the estimate for a training step of MASSTrainer exceeds it, the patch (unless "
        "--patch-size is given) and then the batch are made smaller, as nnU-Net does it. The estimate, which plan "
        "always prints, is computed from network, patch and batch; it was not measured on a GPU (default: no limit)",
    )
    parser.add_argument("--features", type=int, default=32, help="channels of the first stage (default 32)")
    parser.add_argument("--batch-size", type=int, default=2, help="labelled scans a step and modality (default 2)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"epochs of training (default {EPOCHS})")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help=f"steps an epoch (default {ITERATIONS})")
    parser.add_argument(
        "--inference",
        choices=INFERENCES,
        default=INFERENCE,
        help="what predicts: the segmentation head alone or adapted to the scan's own intensities, the atlases, or all "
        f"(default: {INFERENCE}, the most accurate; adapted takes a fifteenth to a fiftieth of its time)",
    )
    parser.add_argument(
        "-np", type=int, default=default_num_processes, help=f"worker processes (default {default_num_processes})"
    )
    parser.add_argument("--no-preprocess", action="store_true", help="only plan, as after a change of the schedule")


def run(args: argparse.Namespace) -> None:
    """Plan and preprocess all datasets of the group."""
    from .planning import plan

    plan(args)
