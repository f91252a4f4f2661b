"""Branches are chosen for a while, and models of strangers are looked at before they are loaded."""

import pytest
import torch
from torch import nn

from mass_nnunet.api.loading import branches_of, chosen_branch, load_model, predicting_by
from mass_nnunet.errors import UserError
from tiny_group import CT, MODEL


def test_a_network_predicts_by_another_branch_inside_the_block_only():
    network = nn.Identity()
    network.inferences, network.inference = ("segmentation", "adapted"), "segmentation"
    with pytest.raises(RuntimeError, match="in the block"), predicting_by(network, "adapted"):
        assert chosen_branch(network) == "adapted"
        raise RuntimeError("in the block")
    assert chosen_branch(network) == "segmentation"


def test_a_plain_network_has_its_head():
    network = nn.Identity()
    assert branches_of(network) == ("segmentation",)
    with predicting_by(network, "segmentation"):
        assert not hasattr(network, "inference")


def test_files_that_are_absent_are_named(trained, tmp_path):
    with pytest.raises(UserError, match=r"fold_all/checkpoint_final.pth does not exist"):
        load_model(trained / "results" / CT / MODEL, "all", "checkpoint_final.pth", torch.device("cpu"))
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0" / "checkpoint_final_earlier.pth").touch()
    with pytest.raises(UserError, match=r"-chk; \S+/fold_0/checkpoint_final_earlier.pth is the model of before$"):
        load_model(tmp_path, 0, "checkpoint_final.pth", torch.device("cpu"))
    source = trained / "results" / CT / MODEL / "fold_0" / "checkpoint_final.pth"
    (tmp_path / "fold_0" / "checkpoint_final.pth").symlink_to(source)
    with pytest.raises(UserError, match=r"plans.json does not exist: copy the model again"):
        load_model(tmp_path, 0, "checkpoint_final.pth", torch.device("cpu"))
    (tmp_path / "plans.json").write_text("{}")
    with pytest.raises(UserError, match=r"dataset.json does not exist: copy the model again"):
        load_model(tmp_path, (0,), "checkpoint_final.pth", torch.device("cpu"))
