"""One spacing for all datasets of a group, and what a patch covers at that spacing."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from nnunetv2.configuration import ANISO_THRESHOLD
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape

from mass_nnunet.errors import UserError

Rule = Literal["fit", "native"] | tuple[float, float, float]
"""How the spacing is chosen: ``fit``, ``native``, or the spacing (Z, Y, X) itself, in mm. See :func:`group_spacing`."""

TILE_STEP = 0.5
"""Step of nnU-Net's sliding window as a share of the patch: its default."""
SPACING_LIMITS = (0.05, 100.0)
"""Smallest and largest spacing that ``--spacing`` takes, in mm; beyond them a unit is wrong."""


def spacing_rule(words: Sequence[str]) -> Rule:
    """The values of ``--spacing`` as a rule.

    Raises:
        UserError: they are neither ``fit`` nor ``native`` nor three lengths within ``SPACING_LIMITS``.
    """
    if len(words) == 1 and words[0] in ("fit", "native"):
        return "fit" if words[0] == "fit" else "native"
    low, high = SPACING_LIMITS
    try:
        z, y, x = (float(word) for word in words)
    except ValueError:
        z = y = x = np.nan
    if not all(low <= edge <= high for edge in (z, y, x)):  # not so for NaN
        raise UserError(
            f"--spacing {' '.join(words)} is none of: fit, native, or three lengths Z Y X of {low:g} to {high:g} mm, "
            "such as 5 1.25 1.25"
        )
    return z, y, x


class _StockPlanner(ExperimentPlanner):
    """nnU-Net's planner, as far as its target spacing goes: a function of the fingerprint, without any file."""

    def __init__(self, fingerprint: dict) -> None:
        self.dataset_fingerprint = fingerprint
        self.overwrite_target_spacing = None
        self.anisotropy_threshold = ANISO_THRESHOLD


def stock_spacing(fingerprint: dict) -> np.ndarray:
    """Spacing (Z, Y, X) in mm that stock nnU-Net would choose for a dataset.

    The axes are those of the scans: nnU-Net transposes later, and a group's axes are not transposed.
    """
    return np.asarray(_StockPlanner(fingerprint).determine_fullres_target_spacing())


def typical_extent(fingerprint: dict) -> np.ndarray:
    """Median extent (Z, Y, X) of a dataset's scans in mm, after nnU-Net's crop."""
    return np.median(np.array(fingerprint["shapes_after_crop"]) * np.array(fingerprint["spacings"]), axis=0)


def group_spacing(fingerprints: Sequence[dict], patch: Sequence[int], rule: Rule) -> np.ndarray:
    """Spacing (Z, Y, X) in mm of a group.

    Args:
        fingerprints: of the datasets.
        patch: (Z, Y, X), in voxels.
        rule: ``fit``: the typical scan of each dataset fits the patch, and the largest one fills it, along each axis.
            ``native``: along each axis the smallest of the spacings that stock nnU-Net would choose, so that no dataset
            is coarser than with stock nnU-Net. Three numbers: these.
    """
    if rule == "fit":
        return np.max([typical_extent(fingerprint) for fingerprint in fingerprints], axis=0) / np.array(patch)
    if rule == "native":
        return np.min([stock_spacing(fingerprint) for fingerprint in fingerprints], axis=0)
    return np.array(rule)


def typical_shape(fingerprints: Sequence[dict], spacing: np.ndarray) -> np.ndarray:
    """Median shape (Z, Y, X) of the scans in voxels at this spacing, along each axis that of the largest dataset."""
    return np.max([np.median(voxels(fingerprint, spacing), axis=0) for fingerprint in fingerprints], axis=0)


def voxels(fingerprint: dict, spacing: np.ndarray) -> np.ndarray:
    """Shape (N, 3) of each of a dataset's N scans at this spacing, after nnU-Net's crop."""
    scans = zip(fingerprint["shapes_after_crop"], fingerprint["spacings"], strict=True)
    return np.array([compute_new_shape(shape, old, spacing) for shape, old in scans])


def share_that_fits(fingerprint: dict, spacing: np.ndarray, patch: Sequence[int]) -> float:
    """Share of a dataset's scans, 0 to 1, that fit one patch at this spacing."""
    return float(np.mean(np.all(voxels(fingerprint, spacing) <= np.array(patch), axis=1)))


def usual_inference(fingerprints: Sequence[dict], spacing: np.ndarray, patch: Sequence[int]) -> str:
    """What predicts unless the user chooses: ``fused`` if the typical scan of each dataset fits the patch.

    Elsewhere ``adapted``: atlases are registered to each tile anew, which takes some fifty times as long as the head.
    """
    fits = all(share_that_fits(fingerprint, spacing, patch) >= 0.5 for fingerprint in fingerprints)
    return "fused" if fits else "adapted"


def tiles(fingerprint: dict, spacing: np.ndarray, patch: Sequence[int]) -> list[int]:
    """Number of tiles of nnU-Net's sliding window in each of a dataset's scans, at this spacing."""
    padded = np.maximum(voxels(fingerprint, spacing), np.array(patch))
    steps = [compute_steps_for_sliding_window(tuple(shape), tuple(patch), TILE_STEP) for shape in padded]
    return [int(np.prod([len(starts) for starts in axes])) for axes in steps]
