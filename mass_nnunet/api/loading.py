"""nnU-Net's predictor of a trained model, after checks that its files are safe and complete."""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from torch import nn

from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import read_json
from mass_nnunet.data.paths import EARLIER_CHECKPOINT
from mass_nnunet.errors import UserError
from mass_nnunet.networks.strangers import check_classes
from mass_nnunet.runtime.checkpoint import read_checkpoint
from mass_nnunet.runtime.env import HOOK_FOLDER, temporary_environment

_HOOK = "nnUNet_extTrainer"
Fold = int | str
"""A fold's number, or nnU-Net's ``all``."""


def load_model(
    folder: Path,
    folds: Fold | Sequence[Fold],
    checkpoint: str,
    device: str | torch.device | None,
    *,
    mirroring: bool = False,
    tile_step_size: float = 0.5,
) -> nnUNetPredictor:
    """nnU-Net's predictor of a trained model, without compilation, which hides the class of the network.

    Args:
        folder: results folder of a trainer, plans and configuration; it has ``plans.json`` and ``fold_0``.
        folds: one fold, or several whose logits are averaged.
        checkpoint: name of the checkpoint's file.
        device: where the network runs; None for a GPU if there is one, else the CPU.
        mirroring: whether to mirror as ``nnUNetv2_predict`` does, along the axes that the training allowed.
        tile_step_size: step of the sliding window, as a share of the patch; the default is that of nnU-Net.

    Raises:
        UserError: a file does not exist, a checkpoint holds more than weights and numbers, the plans name a class that
            is none of a network or have another form, or nnU-Net does not find the trainer.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    chosen = (folds,) if isinstance(folds, int | str) else tuple(folds)
    for fold in chosen:
        file = folder / f"fold_{fold}" / checkpoint
        if not file.is_file():
            earlier = file.with_name(EARLIER_CHECKPOINT)
            there = f"; {earlier} is the model of before" if earlier.is_file() else ""
            raise UserError(
                f"{file} does not exist: train the model, or name another one with -tr, -p, -c, -f or -chk{there}"
            )
        read_checkpoint(file)  # nnU-Net reads it with pickle, which may run code
    remedy = "copy the model again"
    check_classes(folder / "plans.json", read_json(folder / "plans.json", remedy))  # nnU-Net imports them
    read_json(folder / DATASET_JSON, remedy)
    with (
        temporary_environment({_HOOK: os.environ.get(_HOOK, str(HOOK_FOLDER)), "nnUNet_compile": "f"}),
        contextlib.redirect_stdout(io.StringIO()),  # nnU-Net says where it looks for the trainer
    ):
        predictor = nnUNetPredictor(
            tile_step_size=tile_step_size,
            use_mirroring=mirroring,
            perform_everything_on_device=where.type == "cuda",
            device=where,
            allow_tqdm=False,
        )
        try:
            predictor.initialize_from_trained_model_folder(str(folder), chosen, checkpoint)
        except SystemExit as error:  # how a trainer refuses plans, for nnU-Net's own commands
            raise UserError(f"{folder}: {str(error).removeprefix('error: ')}") from None
    return predictor


def branches_of(network: nn.Module) -> tuple[str, ...]:
    """The inferences that a network can predict by; a network of stock nnU-Net has its segmentation head only."""
    return getattr(network, "inferences", ("segmentation",))


def chosen_branch(network: nn.Module) -> str:
    """The inference that ``nnUNetv2_predict`` uses, which the plans of the model name."""
    return getattr(network, "inference", branches_of(network)[0])


@contextlib.contextmanager
def predicting_by(network: nn.Module, branch: str) -> Iterator[None]:
    """Let a network predict by one of its :func:`branches_of` inside the block."""
    before = chosen_branch(network)
    if branch == before:  # a network with one branch has no choice to set
        yield
        return
    network.inference = branch  # type: ignore[assignment]
    try:
        yield
    finally:
        network.inference = before  # type: ignore[assignment]
