"""Checks for every method that MASSTrainer is compared with, on the tiny group."""

import io
import shutil
import zipfile
from pathlib import Path

import blosc2
import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor, nn

from mass_nnunet.api.loading import load_model
from mass_nnunet.cli import main
from mass_nnunet.export.model_card import MODEL_CARD
from scarce_group import garble_hidden_labels
from tiny_group import CONFIGURATION, CT, MRI, entry, trainer

HIDDEN_FILES = 2 * (3 * 4 + 2)
"""Files with a hidden label in fold 0 of the tiny group: of three scans of imagesTr and one of imagesUn, twice."""
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


def damage_hidden(root: Path) -> int:
    """Make the hidden labels unreadable, delete raw data and models; how many files are unreadable now."""
    count = sum(garble_hidden_labels(root, name) for name in (CT, MRI))
    for name in (CT, MRI):
        shutil.rmtree(root / "results" / name, ignore_errors=True)
        shutil.rmtree(root / "raw" / name)
    return count


def change_annotated(root: Path, name: str) -> None:
    """Take half of the slices of each annotated training scan's labels away, as they were preprocessed."""
    for case in entry(root, name)["train"]:
        file = root / "preprocessed" / name / f"MASSPlans_{CONFIGURATION}" / f"{case}_seg.b2nd"
        labels = blosc2.open(str(file))[:]
        assert labels[:, 4:].any()
        labels[:, 4:] = 0
        file.unlink()
        blosc2.asarray(labels, urlpath=str(file))


def gradients(loss: Tensor, part: nn.Module) -> float:
    """Sum of the absolute gradient that a term has in a part of the network."""
    found = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True, allow_unused=True)
    return sum(float(g.abs().sum()) for g in found if g is not None)
