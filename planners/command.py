"""``mass_nnunet plan``: extract fingerprints, plan all datasets of a group together, and preprocess them."""

import argparse
from typing import Any

from nnunetv2.configuration import default_num_processes

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import INFERENCES, complete, scaled_learning_rate

from .fingerprint import BodyFingerprintExtractor
from .group import check_axes, load_group, modality_names
from .group_planner import GroupPlanner, GroupSettings, write_plans
from .preprocessing import preprocess
from .spacing import check_patch, group_spacing, spacing_rule
from .summary import next_steps, summary

EPOCHS, ITERATIONS = 1000, 250
"""nnU-Net's own schedule."""
VALIDATION_SHARE = 5
"""Training iterations for each validation iteration, as in nnU-Net (250 and 50)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet plan``."""
    parser.add_argument("-d", type=int, nargs="+", required=True, metavar="ID", help="dataset ids, such as 801 802")
    parser.add_argument(
        "--patch-size",
        type=int,
        nargs=3,
        default=[32, 256, 256],
        metavar=("Z", "Y", "X"),
        help="voxels of a patch (default 32 256 256)",
    )
    parser.add_argument(
        "--spacing",
        nargs="+",
        default=["fit"],
        metavar="MM",
        help="edges of a voxel: fit (the typical scan of each dataset fits one patch, the default), native (along each "
        "axis the smallest that stock nnU-Net would choose for one of the datasets: no dataset loses detail), or three "
        "numbers Z Y X in mm",
    )
    parser.add_argument("--features", type=int, default=32, help="channels of the first stage (default 32)")
    parser.add_argument("--batch-size", type=int, default=2, help="labelled scans a step and modality (default 2)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"epochs of training (default {EPOCHS})")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help=f"steps an epoch (default {ITERATIONS})")
    parser.add_argument(
        "--inference",
        choices=INFERENCES,
        default="fused",
        help="what predicts: the segmentation head alone or adapted to the scan's own intensities, the atlases, or all "
        "(default fused)",
    )
    parser.add_argument(
        "-np", type=int, default=default_num_processes, help=f"worker processes (default {default_num_processes})"
    )
    parser.add_argument("--no-preprocess", action="store_true", help="only plan, as after a change of the schedule")


def run(args: argparse.Namespace) -> None:
    """Plan and preprocess all datasets of the group."""
    for option in ("features", "batch_size", "epochs", "iterations", "np"):
        if getattr(args, option) < 1:
            raise UserError(f"{'-np' if option == 'np' else '--' + option.replace('_', '-')} must be at least 1")
    rule = spacing_rule(args.spacing)
    group = load_group(args.d)
    fingerprints = [BodyFingerprintExtractor(dataset, args.np).run() for dataset in group]
    check_axes(group, fingerprints)
    check_patch(fingerprints, args.patch_size, rule)
    settings = GroupSettings(
        spacing=group_spacing(fingerprints, args.patch_size, rule),
        patch_size=args.patch_size,
        features=args.features,
        batch_size=args.batch_size,
        mass=mass_settings(group, args),
    )
    names = modality_names(group)
    plans = [GroupPlanner(*pair, settings).plan_experiment() for pair in zip(group, names, strict=True)]
    for dataset, its_plans in zip(group, plans, strict=True):
        write_plans(dataset, its_plans)
    print(summary(group, fingerprints, plans[0]))
    if not args.no_preprocess:
        for dataset in group:
            preprocess(dataset, args.np)
    print(next_steps(group))
    if args.no_preprocess:
        print("nothing was preprocessed: run this again without --no-preprocess unless that is done")


def mass_settings(group: list[RawDataset], args: argparse.Namespace) -> dict[str, Any]:
    """What stands under ``mass`` in the plans of every dataset of the group."""
    names = modality_names(group)
    return {
        "modalities": [{"name": name, "dataset": d.name} for name, d in zip(names, group, strict=True)],
        "epochs": args.epochs,
        "iterations": args.iterations,
        "validation_iterations": max(1, args.iterations // VALIDATION_SHARE),
        "inference": args.inference,
        "hyperparameters": complete({"learning_rate": scaled_learning_rate(args.features)}).as_plans(),
    }
