"""Plans of strangers import nothing but networks."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.networks.strangers import check_classes

ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "nonlin": "torch.nn.LeakyReLU",
        "block": "dynamic_network_architectures.building_blocks.residual.BasicBlockD",
        "dropout_op": None,
        "n_stages": 3,
    },
    "_kw_requires_import": ["conv_op", "norm_op", "nonlin", "dropout_op", "block"],
}
PLANS = {
    "configurations": {"3d_fullres": {"architecture": ARCHITECTURE}, "3d_cascade": {"inherits_from": "3d_fullres"}}
}


def test_classes_of_networks_pass():
    check_classes(Path("plans.json"), json.loads(json.dumps(PLANS)))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("network_class_name", "os.system"),
        ("network_class_name", "evil.dynamic_network_architectures.architectures.unet.PlainConvUNet"),
        ("network_class_name", "dynamic_network_architectures.architectures.unet.os.system"),
        ("conv_op", "subprocess.Popen"),
        ("conv_op", "torch.hub.load"),
        ("conv_op", "torch.nn.modules.module.os.system"),
        ("nonlin", ["os.system"]),
    ],
)
def test_a_class_that_is_not_allowed_is_named(key, name):
    plans = deepcopy(PLANS)
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    (architecture if key == "network_class_name" else architecture["arch_kwargs"])[key] = name
    with pytest.raises(UserError, match=r"^plans.json, 3d_fullres, names the class [^\n]*could run code[^\n]*$"):
        check_classes(Path("plans.json"), plans)


@pytest.mark.parametrize(
    ("plans", "told"),
    [
        (5, "has configurations of another form"),
        ({"configurations": [1]}, "has configurations of another form"),
        ({"configurations": {"x": 5}}, "has architecture of another form"),
        ({"configurations": {"x": {"architecture": {"arch_kwargs": 5}}}}, "has arch_kwargs of another form"),
        (
            {"configurations": {"x": {"architecture": {"_kw_requires_import": [5]}}}},
            "x, has _kw_requires_import of another form",
        ),
    ],
)
def test_plans_of_another_form(plans, told):
    with pytest.raises(UserError, match=rf"^plans.json,? {told}: get the model as `mass_nnunet export` writes it$"):
        check_classes(Path("plans.json"), plans)
