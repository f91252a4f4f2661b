"""What ``mass_nnunet plan`` prints: the plans of a group, and what they mean for the scans of each dataset."""

from collections.abc import Iterable, Sequence
from statistics import median_high

import numpy as np
import pandas as pd

from mass_nnunet.data.axes import AXES
from mass_nnunet.data.raw import TRAINING, RawDataset

from .apart import PLANS_NAME
from .group_planner import CONFIGURATION
from .memory import Memory
from .spacing import share_that_fits, stock_spacing, tiles

COARSER = 1.01
"""A spacing is coarser than another one beyond this ratio; less is a rounding."""


def summary(group: Sequence[RawDataset], fingerprints: Sequence[dict], plans: dict, memory: Memory) -> str:
    """The plans in a few lines, a table with a row for each dataset, and what is worth a warning or a note."""
    configuration, mass = plans["configurations"][CONFIGURATION], plans["mass"]
    spacing, patch = configuration["spacing"], configuration["patch_size"]
    network = configuration["architecture"]
    features = network["arch_kwargs"]["features_per_stage"]
    name = network["network_class_name"].rpartition(".")[2]
    lines = [
        "",
        f"{PLANS_NAME} of {', '.join(dataset.name for dataset in group)} (axes: z y x)",
        f"  spacing    {_mm(spacing)} mm",
        f"  patch      {' x '.join(str(size) for size in patch)} voxels",
        f"  batch      {configuration['batch_size']} labelled scans of each modality a step",
        f"  network    {name} of {len(features)} stages, with {', '.join(str(f) for f in features)} channels",
        f"  memory     about {memory.gigabytes:.1f} GB of a GPU in a training of MASSTrainer (an estimate)",
        f"  schedule   {mass['epochs']} epochs of {mass['iterations']} steps",
        f"  inference  {mass['inference']}",
        table(group, fingerprints, spacing, patch),
        *coarser_than_stock(group, fingerprints, spacing),
        *several_channels(group),
        *without_labels(group),
    ]
    return "\n".join(lines)


def table(
    group: Sequence[RawDataset], fingerprints: Sequence[dict], spacing: Sequence[float], patch: Sequence[int]
) -> str:
    """Spacings in mm, and what the patch covers, for each dataset.

    Columns: median spacing of the scans, spacing that stock nnU-Net would choose, the group's spacing, number of scans,
    share of them that fit one patch, and tiles that a typical scan takes in a prediction, with the most of any scan.
    """
    rows = {}
    for dataset, fingerprint in zip(group, fingerprints, strict=True):
        counts = tiles(fingerprint, np.array(spacing), patch)
        typical, most = median_high(counts), max(counts)
        rows[dataset.name] = {
            "native mm": _mm(np.median(fingerprint["spacings"], axis=0)),
            "stock nnU-Net mm": _mm(stock_spacing(fingerprint)),
            "this plan mm": _mm(spacing),
            "scans": len(counts),
            "fit one patch": f"{share_that_fits(fingerprint, np.array(spacing), patch):.0%}",
            "tiles a scan": f"{typical} (up to {most})" if most > typical else str(typical),
        }
    return pd.DataFrame.from_dict(rows, orient="index").to_string()


def coarser_than_stock(
    group: Sequence[RawDataset], fingerprints: Sequence[dict], spacing: Sequence[float]
) -> list[str]:
    """A warning if stock nnU-Net would choose a finer spacing for some dataset, along some axis: no line or one."""
    finer = []
    for dataset, fingerprint in zip(group, fingerprints, strict=True):
        edges = zip(AXES, spacing, stock_spacing(fingerprint), strict=True)
        axes = [f"{axis} {stock:.3g} mm" for axis, ours, stock in edges if ours > COARSER * stock]
        if axes:
            finer.append(f"{dataset.name} ({', '.join(axes)})")
    if not finer:
        return []
    return [
        f"warning: stock nnU-Net would choose a finer grid than {_mm(spacing)} mm for {' and '.join(finer)}; what a "
        "coarser grid loses of the organs no model can recover: plan again with --spacing native"
    ]


def several_channels(group: Sequence[RawDataset]) -> list[str]:
    """A note if the datasets have several channels: no line or one."""
    if all(len(dataset.channels) == 1 for dataset in group):
        return []
    first = ", ".join(f"{dataset.channels[0]} in {dataset.name}" for dataset in group)
    return [f"note: similarity and intensity adaptation use the first channel only ({first})"]


def without_labels(group: Sequence[RawDataset]) -> list[str]:
    """A note if datasets have no labelled scan: no line or one."""
    names = [dataset.name for dataset in group if not dataset.cases(TRAINING)]
    if not names:
        return []
    return [f"note: no scan of {' and '.join(names)} has a label: annotated scans of another dataset serve in training"]


def next_steps(group: Sequence[RawDataset]) -> str:
    """The next commands to type."""
    ids = " ".join(str(dataset.id) for dataset in group)
    return (
        f"next, unless the splits are made: mass_nnunet split -d {ids} --label-rates 0.1 0.5 1.0 --seeds 3\n"
        f"then: nnUNetv2_train {group[0].id} {CONFIGURATION} 0 -tr MASSTrainer -p {PLANS_NAME}"
    )


def _mm(spacing: Iterable[float]) -> str:
    return " x ".join(f"{edge:.3g}" for edge in spacing)
