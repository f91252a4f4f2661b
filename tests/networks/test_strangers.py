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
