"""Models of strangers execute nothing."""

import json
import os
from copy import deepcopy

import numpy as np
import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.networks.strangers import check_architecture, check_model

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


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


def test_a_model_of_plain_values_passes(tmp_path):
    file = tmp_path / "checkpoint_final.pth"
    torch.save(
        {
            "network_weights": {"a": torch.ones(2)},
            "init_args": {"plans": PLANS},
            "epoch": 3,
            "log": [np.float64(1), np.float32(2)],
        },
        file,
    )
    check_model(tmp_path, json.loads(json.dumps(PLANS)), file)


def test_a_checkpoint_that_executes_code_is_refused_and_executes_none(tmp_path):
    file = tmp_path / "checkpoint_final.pth"
    torch.save({"network_weights": Evil(tmp_path / "executed")}, file)
    with pytest.raises(UserError, match=rf"^{file} holds more than tensors and plain values \(\S*mkdir\)[^\n]*$"):
        check_model(tmp_path, PLANS, file)
    assert not (tmp_path / "executed").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "executed").exists(), "else this test could not fail"


def test_a_damaged_checkpoint(tmp_path):
    file = tmp_path / "checkpoint_final.pth"
    torch.save({"a": torch.ones(1000)}, file)
    for content in (file.read_bytes()[:500], b""):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"^{file} [^\n]*$"):
            check_model(tmp_path, PLANS, file)


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
def test_a_class_that_is_not_allowed_is_named(tmp_path, key, name):
    plans = deepcopy(PLANS)
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    (architecture if key == "network_class_name" else architecture["arch_kwargs"])[key] = name
    with pytest.raises(UserError, match=r"plans.json, 3d_fullres, names the class [^\n]*could execute code[^\n]*$"):
        check_model(tmp_path, plans, tmp_path / "none.pth")
    check_architecture(ARCHITECTURE, "")
