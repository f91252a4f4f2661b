"""nnU-Net's plans, with one spacing, patch and batch size for all datasets of a group."""

import contextlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    ResEncUNetPlanner,
)
from nnunetv2.utilities.json_export import recursive_fix_for_json_export

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.training.loaders import outside_folder, unlabelled_folder

from .apart import FINGERPRINT, NNUNET_FINGERPRINT, PLANS_NAME, apart
from .patch import topology
from .scans import nnunet_cases
from .spacing import typical_extent

CONFIGURATION = "3d_fullres"

# What the preprocessed arrays depend on. They stay valid when the rest, such as the schedule, changes.
_PREPROCESSING = ("transpose_forward", "image_reader_writer", "foreground_intensity_properties_per_channel")
_NOT_PREPROCESSING = ("batch_size", "architecture", "median_image_size_in_voxels", "batch_dice")


@dataclass(frozen=True)
class GroupSettings:
    """What the plans of all datasets of a group have in common."""

    spacing: Sequence[float] | np.ndarray
    """(Z, Y, X) in mm."""
    patch_size: Sequence[int]
    """(Z, Y, X) in voxels."""
    features: int
    """Channels of the first stage; they double with each stage, up to nnU-Net's 320."""
    batch_size: int
    mass: dict[str, Any]
    """What stands under ``mass`` in the plans, except for the dataset's own modality."""


class GroupPlanner(ExperimentPlanner):
    """nnU-Net's plans of one dataset, except for what :class:`GroupSettings` fixes for the whole group.

    Axes are not transposed: they mean the same in every dataset. Only ``3d_fullres`` is planned.

    Args:
        dataset: the dataset to plan; its fingerprint exists.
        modality: modality of the dataset, one of those in ``settings.mass``.
        settings: what all plans of the group share.
    """

    STOCK: ClassVar[type[ExperimentPlanner]] = ExperimentPlanner
    """nnU-Net's planner of the same network, which the plans name: nnU-Net can look up its own classes only."""
    BLOCKS: ClassVar = "n_conv_per_stage"
    """What the network calls the number of convolutions, or of residual blocks, of each stage of the encoder."""

    def __init__(self, dataset: RawDataset, modality: str, settings: GroupSettings) -> None:
        ours = dataset_folder("preprocessed", dataset.id) / FINGERPRINT
        with apart(dataset.name) as folder:
            shutil.copyfile(ours, folder / NNUNET_FINGERPRINT)
            super().__init__(
                dataset.name,
                plans_name=PLANS_NAME,
                overwrite_target_spacing=[float(spacing) for spacing in settings.spacing],
                suppress_transpose=True,
            )
        self.dataset = nnunet_cases(dataset)  # nnU-Net's own lacks the unlabelled scans, and may be empty
        self.modality = modality
        self.settings = settings
        self.UNet_base_num_features = settings.features
        self.lowres_creation_threshold = 0

    @staticmethod
    def static_estimate_VRAM_usage(*args: Any, **kwargs: Any) -> float:
        """A constant: patch and batch size are given, so no network has to be built to estimate its memory."""
        return 1.0

    def get_plans_for_configuration(self, spacing: Any, median_shape: Any, *args: Any, **kwargs: Any) -> dict:
        """nnU-Net's configuration with the group's patch, and the topology that nnU-Net's rules give for that patch."""
        plan = super().get_plans_for_configuration(spacing, median_shape, *args, **kwargs)
        if len(spacing) == 2:
            return plan
        strides, kernels, patch, _ = topology(spacing, self.settings.patch_size)
        stages = len(strides)
        features = [min(self.settings.features * 2**i, self.UNet_max_features_3d) for i in range(stages)]
        plan["patch_size"] = patch
        plan["batch_size"] = self.settings.batch_size
        plan["architecture"]["arch_kwargs"] |= {
            "n_stages": stages,
            "features_per_stage": features,
            "kernel_sizes": kernels,
            "strides": strides,
            self.BLOCKS: self.UNet_blocks_per_stage_encoder[:stages],
            "n_conv_per_stage_decoder": self.UNet_blocks_per_stage_decoder[: stages - 1],
        }
        return plan

    def plan_experiment(self) -> dict:
        """The plans of the dataset; :func:`write_plans` writes them.

        Raises:
            UserError: the typical scan has fewer than two voxels along an axis at the group's spacing.
        """
        voxels = typical_extent(self.dataset_fingerprint) / np.array(self.settings.spacing)
        if voxels.min() < 2:
            raise UserError(
                f"{self.raw_dataset_folder}: the typical scan has only {' x '.join(f'{v:.1f}' for v in voxels)} voxels "
                f"(z y x) at the spacing of the group: 3D only, volumes of similar extent are needed in all datasets"
            )
        with contextlib.redirect_stdout(io.StringIO()):  # nnU-Net prints whole dicts; the command prints a summary
            plans = super().plan_experiment()
        plans["configurations"] = {CONFIGURATION: plans["configurations"][CONFIGURATION]}
        plans["experiment_planner_used"] = self.STOCK.__name__
        plans["mass"] = {"modality": self.modality, **self.settings.mass}
        return json.loads(json.dumps(plans))  # tuples become lists, as in plans that are read

    def generate_data_identifier(self, configuration_name: str) -> str:
        """Name of the preprocessed arrays: that of the plans, whatever the network."""
        return ExperimentPlanner.generate_data_identifier(self, configuration_name)

    def save_plans(self, plans: dict) -> None:
        """Make the plans serializable, but do not write them: first all datasets of the group have to be planned."""
        recursive_fix_for_json_export(plans)


class ResidualGroupPlanner(GroupPlanner, ResEncUNetPlanner):
    """The same with nnU-Net's residual encoders (Isensee et al., nnU-Net Revisited, MICCAI 2024)."""

    STOCK = ResEncUNetPlanner
    BLOCKS = "n_blocks_per_stage"


def write_plans(dataset: RawDataset, plans: dict) -> None:
    """Write ``MASSPlans.json``, and before that delete preprocessed arrays that other plans have made."""
    folder = dataset_folder("preprocessed", dataset.id)
    path = folder / f"{PLANS_NAME}.json"
    arrays = folder / plans["configurations"][CONFIGURATION]["data_identifier"]
    if not path.exists() or _preprocessing(read_json(path, "delete it")) != _preprocessing(plans):
        for stale in (arrays, unlabelled_folder(arrays), outside_folder(arrays)):
            shutil.rmtree(stale, ignore_errors=True)
    write_json(path, plans)


def _preprocessing(plans: dict) -> dict:
    """The part of the plans that preprocessed arrays depend on; plans that were edited by hand may lack any of it."""
    configuration = plans.get("configurations", {}).get(CONFIGURATION, {})
    return {key: plans.get(key) for key in _PREPROCESSING} | {
        key: value for key, value in configuration.items() if key not in _NOT_PREPROCESSING
    }
