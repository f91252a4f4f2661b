"""The plans of all datasets of a group, from their fingerprints, and their preprocessing."""

import argparse
from collections.abc import Sequence
from typing import Any

from mass_nnunet.data.outdated import check_splits
from mass_nnunet.data.paths import dataset_folder, fold_folders
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import complete, scaled_learning_rate
from mass_nnunet.runtime.exclusive import check_free, only_user_of

from .fingerprint import BodyFingerprintExtractor
from .group import check_axes, load_group, modality_names
from .group_planner import CONFIGURATION, GroupPlanner, GroupSettings, ResidualGroupPlanner, write_plans
from .memory import Memory, memory_of_plans
from .patch import check_patch, default_patch, smaller_patch, within_memory
from .preprocessing import preprocess
from .presets import PRESETS
from .spacing import Rule, group_spacing, spacing_rule, typical_shape
from .summary import next_steps, summary

VALIDATION_SHARE = 5
"""Training iterations for each validation iteration, as in nnU-Net (250 and 50)."""


def plan(args: argparse.Namespace) -> None:
    """Plan and preprocess the datasets that the options of ``mass_nnunet plan`` name."""
    for option in ("features", "batch_size", "epochs", "iterations", "np"):
        if getattr(args, option) < 1:
            raise UserError(f"{'-np' if option == 'np' else '--' + option.replace('_', '-')} must be at least 1")
    if args.gpu_memory is not None and not args.gpu_memory > 0:
        raise UserError("--gpu-memory must be more than 0")
    rule = spacing_rule(args.spacing)
    group = load_group(args.d)
    folders = [dataset_folder("preprocessed", dataset.id) for dataset in group]
    for dataset, folder in zip(group, folders, strict=True):
        check_splits(dataset, folder)
    with only_user_of(sorted(folders), "`mass_nnunet plan` or `annotate-in`"):
        if not args.no_preprocess:  # the arrays that a training reads would be replaced under it
            check_free([fold for dataset in group for fold in fold_folders(dataset.name)], "training")
        _plan(group, rule, args)


def _plan(group: list[RawDataset], rule: Rule, args: argparse.Namespace) -> None:
    fingerprints = [BodyFingerprintExtractor(dataset, args.np).run() for dataset in group]
    check_axes(group, fingerprints)
    settings = settings_of(group, fingerprints, rule, args)
    plans = [planner.plan_experiment() for planner in planners(group, settings, args.preset)]
    for dataset, its_plans in zip(group, plans, strict=True):
        write_plans(dataset, its_plans)
    print(summary(group, fingerprints, plans[0], memory(group, plans[0])))
    if not args.no_preprocess:
        for dataset in group:
            preprocess(dataset, args.np)
    print(next_steps(group))
    if args.no_preprocess:
        print("nothing was preprocessed: run this again without --no-preprocess unless that is done")


def settings_of(
    group: list[RawDataset], fingerprints: list[dict], rule: Rule, args: argparse.Namespace
) -> GroupSettings:
    """The settings that all plans of the group share; patch and batch fit into ``--gpu-memory`` if it is given.

    Raises:
        UserError: the network's strides do not divide ``--patch-size``, or no patch fits into ``--gpu-memory``.
    """
    if args.patch_size:
        check_patch(fingerprints, args.patch_size, rule)
    patch = args.patch_size or default_patch(fingerprints, rule)

    def settings(patch: Sequence[int], batch: int) -> GroupSettings:
        spacing = group_spacing(fingerprints, patch, rule)
        return GroupSettings(spacing, patch, args.features, batch, mass_settings(group, args))

    def estimate(patch: Sequence[int], batch: int) -> float:
        return memory(group, planners(group, settings(patch, batch), args.preset)[0].plan_experiment()).gigabytes

    def smaller(size: Sequence[int]) -> list[int] | None:
        if args.patch_size:
            return None
        spacing = group_spacing(fingerprints, size, rule)
        # With fit the typical scan has the shape of the patch, whatever that is: the patch keeps its aspect.
        return smaller_patch(size, spacing, patch if rule == "fit" else typical_shape(fingerprints, spacing))

    # What a preset was planned for does not overrule what the user asks for.
    gigabytes = args.gpu_memory or (None if args.patch_size else PRESETS[args.preset].gigabytes)
    if gigabytes is None:
        return settings(patch, args.batch_size)
    return settings(*within_memory(gigabytes, patch, args.batch_size, estimate=estimate, smaller=smaller))


def planners(group: list[RawDataset], settings: GroupSettings, preset: str) -> list[GroupPlanner]:
    """The planner of each dataset."""
    planner = ResidualGroupPlanner if PRESETS[preset].residual else GroupPlanner
    return [planner(dataset, name, settings) for dataset, name in zip(group, modality_names(group), strict=True)]


def memory(group: list[RawDataset], plans: dict[str, Any]) -> Memory:
    """The estimate of the memory that a training with these plans takes."""
    channels = max(len(dataset.channels) for dataset in group)
    return memory_of_plans(plans, CONFIGURATION, channels=channels, classes=len(group[0].labels))


def mass_settings(group: list[RawDataset], args: argparse.Namespace) -> dict[str, Any]:
    """The entries under ``mass`` in the plans of every dataset of the group."""
    modalities: list[dict[str, Any]] = [
        {"name": name, "dataset": dataset.name} for name, dataset in zip(modality_names(group), group, strict=True)
    ]
    numbers = [len(dataset.channels) for dataset in group]
    if len(set(numbers)) > 1:  # else dataset.json of any of them tells the number of all
        for modality, number in zip(modalities, numbers, strict=True):
            modality["channels"] = number
    regions = [list(values) for values in group[0].regions.values()]
    return {
        "modalities": modalities,
        **({"regions": regions} if regions else {}),
        "epochs": args.epochs,
        "iterations": args.iterations,
        "validation_iterations": max(1, args.iterations // VALIDATION_SHARE),
        "inference": args.inference,
        "hyperparameters": complete({"learning_rate": scaled_learning_rate(args.features)}).as_plans(),
    }
