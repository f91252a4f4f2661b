"""Checks for every method that MASSTrainer is compared with, on the tiny group."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor, nn

from mass_nnunet.api.loading import load_model
from mass_nnunet.cli import main
from mass_nnunet.export.model_card import MODEL_CARD
from tiny_group import CONFIGURATION, CT, MRI, entry, trainer

PATCH = (8, 16, 16)
INSIDE = (slice(None), slice(2, -2), slice(4, -4), slice(4, -4))
"""The inner part of a patch's logits (K, Z, Y, X); at the corners nnU-Net's half precision is too coarse."""


def started(name: str, dataset: str = "801", fold: int = 0) -> nnUNetTrainer:
    """A trainer that is about to take its first step, late in the training, so that all ramps are up."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    one = trainer(name, dataset, fold)
    one.on_train_start()
    one.network.train()
    one.current_epoch = one.num_epochs
    return one


def stepped(one: nnUNetTrainer, batch: dict) -> dict:
    """What a training step returns, and the values of the objective's terms that it keeps for the log."""
    result = one.train_step(batch)
    return result | {term: float(value) for term, value in one.epoch_terms[-1].items()}


def trained(name: str, dataset: str = "801", epochs: int = 1) -> nnUNetTrainer:
    """A trainer after an epoch, or several, with its models written."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    one = trainer(name, dataset)
    one.num_epochs = epochs
    one.run_training()
    return one


def model_folder(root: Path, dataset: str, name: str) -> Path:
    """The results folder of a method's model of one dataset."""
    return root / "results" / dataset / f"{name}__MASSPlans__{CONFIGURATION}"


def predicted(root: Path, dataset: str, name: str, scan: Tensor) -> Tensor:
    """Logits ``INSIDE`` a scan (C, Z, Y, X) of one patch, by nnU-Net's predictor, from the results folder alone."""
    predictor = load_model(model_folder(root, dataset, name), 0, "checkpoint_final.pth", torch.device("cpu"))
    with torch.no_grad():
        return predictor.predict_sliding_window_return_logits(scan)[INSIDE].float()


def exported(root: Path, dataset: str, name: str) -> tuple[str, dict[str, Tensor]]:
    """Model card and weights of a method's model as ``mass_nnunet export`` writes it; ``dataset`` is its number."""
    model = root / "model.zip"
    assert main(["export", "-d", dataset, "-tr", name, "-o", str(model)]) == 0
    with zipfile.ZipFile(model) as file:
        card = next(file.read(member).decode() for member in file.namelist() if member.endswith(MODEL_CARD))
        checkpoint = next(file.read(member) for member in file.namelist() if member.endswith(".pth"))
    return card, torch.load(io.BytesIO(checkpoint), weights_only=True)["network_weights"]


def damage_hidden(root: Path) -> None:
    """Make raw data and all hidden labels unreadable, and delete the models."""
    for name in (CT, MRI):
        shutil.rmtree(root / "results" / name, ignore_errors=True)
        shutil.rmtree(root / "raw" / name)
        for case in entry(root, name)["unlabelled"]:
            for pattern in (f"{case}_seg.b2nd", f"{case}.pkl", f"gt_segmentations/{case}.nii.gz"):
                for file in (root / "preprocessed" / name).rglob(pattern):
                    file.write_bytes(b"nothing")


def gradients(loss: Tensor, part: nn.Module) -> float:
    """Sum of the absolute gradient that a term has in a part of the network."""
    found = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True, allow_unused=True)
    return sum(float(g.abs().sum()) for g in found if g is not None)
