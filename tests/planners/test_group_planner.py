"""planners/group_planner.py: nnU-Net's rules with the group's patch."""

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    nnUNetPlannerResEncL,
    nnUNetPlannerResEncM,
)
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.planners.apart import FINGERPRINT
from mass_nnunet.planners.group_planner import (
    CONFIGURATION,
    GroupPlanner,
    GroupSettings,
    ResidualGroupPlanner,
    write_plans,
)
from mass_nnunet.planners.spacing import group_spacing, stock_spacing
from quick_planning import plan_quickly
from tiny_raw import write_raw_dataset

PATCH = [32, 256, 256]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The preprocessed folder of a dataset with scans as large as real ones, by its fingerprint."""
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    plan_quickly(monkeypatch)
    write_raw_dataset(tmp_path / "raw", "Dataset801_A", "CT", ["a"])
    folder = tmp_path / "preprocessed" / "Dataset801_A"
    write_fingerprint(folder, [32, 256, 256], [7.0, 1.4, 1.2])
    return folder


def write_fingerprint(folder, shape, spacing):
    intensities = {"mean": 30.0, "std": 60.0, "percentile_00_5": -150.0, "percentile_99_5": 250.0}
    content = {
        "shapes_after_crop": [shape] * 3,
        "spacings": [spacing] * 3,
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "median_relative_size_after_cropping": 1.0,
    }
    for name in ("dataset_fingerprint.json", FINGERPRINT):  # for stock nnU-Net, and for us
        write_json(folder / name, content)


def plan(folder, patch=PATCH, planner=GroupPlanner, **changes):
    spacing = group_spacing([read_json(folder / "dataset_fingerprint.json", "")], patch, "fit")
    settings = {"features": 32, "batch_size": 3, "mass": {"epochs": 1}} | changes
    return planner(RawDataset.load(801), "CT", GroupSettings(spacing, patch, **settings)).plan_experiment()


def test_same_as_stock_nnunet_where_that_keeps_the_patch(folder, monkeypatch):
    monkeypatch.setenv("nnUNet_n_proc_DA", "1")  # threads, for stock nnU-Net's estimate of memory
    ours = plan(folder)["configurations"][CONFIGURATION]
    stock = ExperimentPlanner(801, gpu_memory_target_in_gb=1000, suppress_transpose=True)
    theirs = stock.plan_experiment()["configurations"][CONFIGURATION]
    assert list(theirs["patch_size"]) == PATCH
    differing = {key for key in ours if repr(as_lists(ours[key])) != repr(as_lists(theirs[key]))}
    assert differing == {"data_identifier", "batch_size"}
    assert ours["batch_size"] == 3


@pytest.mark.parametrize("theirs", [nnUNetPlannerResEncM, nnUNetPlannerResEncL])
def test_residual_network_is_that_of_stock_nnunet(folder, monkeypatch, theirs):
    """nnU-Net's two planners have one network, and so have we."""
    monkeypatch.setenv("nnUNet_n_proc_DA", "1")
    with pytest.warns(UserWarning, match="non-standard gpu_memory_target_in_gb"):
        stock = theirs(801, gpu_memory_target_in_gb=1000, suppress_transpose=True)
    stocks = stock.plan_experiment()["configurations"][CONFIGURATION]
    assert list(stocks["patch_size"]) == PATCH
    plans = plan(folder, planner=ResidualGroupPlanner)
    ours = plans["configurations"][CONFIGURATION]
    assert as_lists(ours["architecture"]) == as_lists(stocks["architecture"])
    assert ours["architecture"]["arch_kwargs"]["n_blocks_per_stage"] == [1, 3, 4, 6, 6, 6, 6]
    assert ours["data_identifier"] == "MASSPlans_3d_fullres", "arrays are those of the plain network"
    assert PlansManager(plans).experiment_planner_class.__name__ == "ResEncUNetPlanner"


def as_lists(value):
    return (
        [as_lists(v) for v in value]
        if isinstance(value, (list, tuple))
        else ({k: as_lists(v) for k, v in value.items()} if isinstance(value, dict) else value)
    )


def test_a_patch_larger_than_nnunet_would_choose_is_kept(folder):
    write_fingerprint(folder, [512, 512, 512], [1.0, 0.8, 0.8])
    configuration = plan(folder, [256, 256, 256])["configurations"][CONFIGURATION]
    assert configuration["patch_size"] == [256, 256, 256]
    assert configuration["median_image_size_in_voxels"] == [256, 256, 256]


@pytest.mark.parametrize(
    ("features", "expected"), [(8, [8, 16, 32, 64, 128, 256, 320]), (32, [32, 64, 128, 256, 320, 320, 320])]
)
def test_features_double_up_to_320(folder, features, expected):
    architecture = plan(folder, features=features)["configurations"][CONFIGURATION]["architecture"]["arch_kwargs"]
    assert architecture["features_per_stage"] == expected


def test_only_one_configuration_and_stock_names(folder):
    plans = plan(folder)
    assert list(plans["configurations"]) == [CONFIGURATION]
    assert plans["experiment_planner_used"] == "ExperimentPlanner"
    assert plans["mass"] == {"modality": "CT", "epochs": 1}
    assert not (folder / "MASSPlans.json").exists(), "written by write_plans"


def test_scans_that_are_flat_beside_those_of_the_partner(folder):
    write_fingerprint(folder, [2, 256, 256], [5.0, 1.0, 1.0])
    settings = GroupSettings([7.0, 1.0, 1.0], PATCH, 32, 2, {})
    with pytest.raises(UserError, match=r"only 1.4 x 256.0 x 256.0 voxels"):
        GroupPlanner(RawDataset.load(801), "CT", settings).plan_experiment()


def test_arrays_of_plans_that_were_edited_are_stale_and_those_of_the_same_plans_are_not(folder):
    plans = plan(folder)
    write_plans(RawDataset.load(801), plans)
    arrays = [folder / name for name in ("MASSPlans_3d_fullres", "MASSPlans_3d_fullres_unlabelled")]
    for array in arrays:
        array.mkdir()
    write_plans(RawDataset.load(801), plan(folder, features=8, batch_size=5))
    assert all(array.exists() for array in arrays)
    write_json(folder / "MASSPlans.json", {"configurations": {}})
    write_plans(RawDataset.load(801), plans)
    assert not any(array.exists() for array in arrays)
    assert read_json(folder / "MASSPlans.json", "") == plans


@pytest.mark.parametrize("spacing", [[7.0, 1.4, 1.2], [1.75, 8.0, 1.75], [1.0, 1.1, 0.9]])
def test_native_is_what_stock_nnunet_plans_without_its_transposition(folder, spacing, monkeypatch):
    monkeypatch.setenv("nnUNet_n_proc_DA", "1")
    write_fingerprint(folder, [64, 72, 80], spacing)
    stock = ExperimentPlanner(801).plan_experiment()
    in_our_axes = [stock["configurations"][CONFIGURATION]["spacing"][axis] for axis in stock["transpose_backward"]]
    assert in_our_axes == pytest.approx(list(stock_spacing(read_json(folder / "dataset_fingerprint.json", ""))))
    assert in_our_axes == pytest.approx(spacing)
