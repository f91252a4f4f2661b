"""A group with nnU-Net's residual encoders: network, training, prediction, and export."""

import json

import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.api.loading import load_model
from mass_nnunet.batch import Layout, Scans
from mass_nnunet.export.plain_model import plain_checkpoint, plain_network
from mass_nnunet.trainers import MASSTrainer
from quick_training import train_quickly
from tiny_group import CONFIGURATION, CT, MODEL, MRI, make_group, trainer, use_folders

PATCH = (8, 16, 16)


def test_residual_encoders_from_the_plans_to_the_exported_model(tmp_path, monkeypatch):
    make_group(tmp_path, 1, 1, "--preset", "ResEncM", "--inference", "fused")
    use_folders(monkeypatch, tmp_path)
    train_quickly(monkeypatch)
    plans = json.loads((tmp_path / "preprocessed" / MRI / "MASSPlans.json").read_text())

    # The network of the plans in a training step.
    manager = PlansManager(plans)
    network = MASSTrainer.build_network_architecture(manager, manager.get_configuration(CONFIGURATION), 1, 5)
    assert [type(unet).__name__ for unet in network.unets] == ["ResidualEncoderUNet"] * 2
    assert network.unets[0].encoder is not network.unets[1].encoder
    assert network.unets[0].decoder.stages is network.unets[1].decoder.stages
    network.active = (0, 1)
    output = network(Scans(torch.randn(6, 1, *PATCH), Layout(2, 2, 1)))
    assert output.logits[0].shape == (6, 5, *PATCH)
    assert output.fields.shape[:2] == (8, 3)
    sum(scale.square().mean() for scale in output.logits).backward()
    for unet in network.unets:
        assert all(parameter.grad is not None for parameter in unet.encoder.parameters())

    # A training, and both of its models.
    torch.manual_seed(0)
    trainer("MASSTrainer").run_training()
    scan = torch.randn(1, *PATCH)
    for name in (CT, MRI):
        predictor = load_model(tmp_path / "results" / name / MODEL, 0, "checkpoint_final.pth", torch.device("cpu"))
        assert predictor.predict_sliding_window_return_logits(scan).isfinite().all()
        checkpoint = plain_checkpoint(predictor, CONFIGURATION, 0)
        settings = checkpoint["init_args"]
        plain = plain_network(settings["plans"], settings["dataset_json"], CONFIGURATION)
        assert type(plain).__name__ == "ResidualEncoderUNet"
        plain.load_state_dict(checkpoint["network_weights"])
        predictor.network.inference = "segmentation"
        with torch.no_grad():
            expected = predictor.network.eval()(scan[None])
            torch.testing.assert_close(plain.eval()(scan[None]), expected, rtol=0.05, atol=0.1)
