"""planners/presets.py: nnU-Net's own presets of residual networks."""

import inspect

import pytest
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    ResEncUNetPlanner,
    nnUNetPlannerResEncL,
    nnUNetPlannerResEncM,
)

from mass_nnunet.planners.presets import PRESETS


@pytest.mark.parametrize(("name", "theirs"), [("ResEncM", nnUNetPlannerResEncM), ("ResEncL", nnUNetPlannerResEncL)])
def test_presets_are_planned_for_nnunets_memory(name, theirs):
    assert PRESETS[name].gigabytes == inspect.signature(theirs).parameters["gpu_memory_target_in_gb"].default
    assert PRESETS[name].residual == issubclass(theirs, ResEncUNetPlanner)


def test_the_plain_network_has_no_limit_of_memory():
    assert PRESETS["plain"].gigabytes is None and not PRESETS["plain"].residual
