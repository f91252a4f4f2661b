"""trainers/base/pretrained.py: nnU-Net's own option, as its own command goes about it."""

import sys
from pathlib import Path

import pytest
import torch
from nnunetv2.run.run_training import maybe_load_checkpoint
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet.errors import UserError
from mass_nnunet.trainers.base.pretrained import OPTION, await_weights, pretrained_file
from tiny_group import trainer
from trap import Trap


def given(monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["nnUNetv2_train", "801", "3d_fullres", "0", *words])


def stock_network(one: nnUNetTrainer, channels: int = 1) -> torch.nn.Module:
    """The network of stock nnU-Net by the same plans."""
    return nnUNetTrainer.build_network_architecture(one.plans_manager, one.configuration_manager, channels, 5, True)


def start(name: str, file: Path, monkeypatch) -> nnUNetTrainer:
    """A trainer as nnU-Net's command has it before training, with pretrained weights."""
    given(monkeypatch, "-tr", name, "-pretrained_weights", str(file))
    one = trainer(name)
    maybe_load_checkpoint(one, False, False, str(file))
    return one


def test_weights_of_stock_nnunet_and_of_a_group(root, tmp_path, monkeypatch):
    """A stock checkpoint is in both U-Nets when training begins; a group's is, as ever, in the whole network."""
    stock = stock_network(trainer("SupervisedTrainer"))
    file = tmp_path / "checkpoint_final.pth"
    torch.save({"network_weights": stock.state_dict(), "trainer_name": "nnUNetTrainer"}, file)
    for name in ("MASSTrainer", "TCSMTrainer", "SupervisedTrainer"):
        one = start(name, file, monkeypatch)
        state = one.network.state_dict()
        for prefix in ("unets.0.", "unets.1.") if name == "MASSTrainer" else ("",):
            for key, value in stock.state_dict().items():
                heads = ".seg_layers." in key and key.endswith("weight")  # biases are 0 at first
                assert torch.equal(state[prefix + key], value) != heads, prefix + key
        if name == "MASSTrainer":
            mass = one
    mass.num_epochs = 1
    mass.run_training()

    torch.save({"network_weights": mass.network.state_dict()}, file)
    again = start("MASSTrainer", file, monkeypatch)
    assert torch.equal(
        again.network.correspondence.residuals[0].field.weight, mass.network.correspondence.residuals[0].field.weight
    )


@pytest.mark.parametrize("has_decoder", [True, False])
def test_the_encoder_of_a_file_of_nnssl(root, tmp_path, monkeypatch, has_decoder):
    """The keys that nnssl's trainers write: with the whole U-Net (MAE, ...), or with its encoder (SimCLR, VoCo)."""
    stock = stock_network(trainer("SupervisedTrainer"))
    kept = {key: value for key, value in stock.state_dict().items() if has_decoder or key.startswith("encoder.")}
    plan = {"key_to_encoder": "encoder.stages", "key_to_stem": "encoder.stem", "pretrain_num_input_channels": 1}
    file = tmp_path / "checkpoint_final.pth"
    torch.save(
        {
            "network_weights": kept | {"projector.layer1.0.weight": torch.ones(1)},
            "init_args": {"device": torch.device("cpu"), "fold": 0, "plan": {"spacing": torch.ones(3)}},
            "trainer_name": "BaseMAETrainer",
            "nnssl_adaptation_plan": plan,
        },
        file,
    )
    for name in ("MASSTrainer", "DTCTrainer"):
        state = start(name, file, monkeypatch).network.state_dict()
        for prefix in ("unets.0.", "unets.1.") if name == "MASSTrainer" else ("",):
            for key, value in stock.state_dict().items():
                if key.endswith("conv.weight"):
                    is_taken = key.startswith(("encoder.", "decoder.encoder."))
                    assert torch.equal(state[prefix + key], value) == is_taken, prefix + key
    if not has_decoder:
        with pytest.raises(SystemExit, match=r"^error: \S+ is of another network, it has no decoder\.\S+: "):
            start("SupervisedTrainer", file, monkeypatch)


def test_what_does_not_fit_is_refused_in_one_line(root, tmp_path, monkeypatch):
    one, file = trainer("MASSTrainer"), tmp_path / "w.pth"
    weights = {"network_weights": stock_network(one, 2).state_dict()}
    sprung = tmp_path / "sprung"
    for content, line in (
        (weights, r"w.pth is of another network, its encoder\S+ has the shape \(4, 2, .*: plan with the network"),
        ({"network_weights": {"a": torch.zeros(1)}}, r"w.pth is of another network, it has no encoder\.\S+: plan"),
        ({"state_dict": {}}, r"w.pth has no network_weights: give -pretrained_weights a checkpoint"),
        (weights | {"plan": Trap(sprung)}, r"w.pth holds \S+, not only weights and numbers"),
    ):
        torch.save(content, file)
        with pytest.raises(SystemExit, match=f"^error: {tmp_path}/{line}[^\n]*$"):
            start("MASSTrainer", file, monkeypatch)
    assert not sprung.exists()
    with pytest.raises(UserError, match=r"none.pth does not exist: give -pretrained_weights nnU-Net's checkpoint"):
        await_weights(torch.nn.Linear(1, 1), tmp_path / "none.pth")


def test_the_file_is_that_of_the_command_line(monkeypatch):
    given(monkeypatch)
    assert pretrained_file() is None
    given(monkeypatch, "-p", "MASSPlans", "-pretrained_weights", "a.pth", "--npz")
    assert pretrained_file() == Path("a.pth")
    assert pretrained_file(["-pretrained_weights=b.pth"]) == Path("b.pth")
    for words in (["-pretrained_weights", "a.pth", "--val"], ["-pretrained_weights", "a.pth", "--c"], [OPTION]):
        assert pretrained_file(words) is None


def test_a_training_does_not_begin_without_the_weights_that_it_was_given(root, tmp_path, monkeypatch):
    """As where a program with this option calls the trainer itself: checkpoints would be those of one stock U-Net."""
    file = tmp_path / "w.pth"
    torch.save({"network_weights": stock_network(trainer("SupervisedTrainer")).state_dict()}, file)
    given(monkeypatch, "-pretrained_weights", str(file))
    one = trainer("MASSTrainer")
    with pytest.raises(SystemExit, match=r"^error: nnU-Net has not read the weights of -pretrained_weights: [^\n]*$"):
        one.on_train_start()
    assert not list((root / "results").rglob("*.pth"))
