"""A trained model as a plain U-Net, in a zip that stock nnU-Net's own command installs."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.regions import ORDER, classes_of
from mass_nnunet.errors import UserError

TRAINER = nnUNetTrainer.__name__
"""Trainer that exported models name; it builds its network from the plans alone."""

# Exported keys: those that nnU-Net itself writes into the two files, and those that state the origin of the data. Other
# keys are left out, because a plain network does not use `mass`, and some converters list every scan with its path in
# dataset.json. dataset_fingerprint.json and summary.json are left out, because they describe or name every scan.
_PLANS = (
    "dataset_name",
    "plans_name",
    "original_median_spacing_after_transp",
    "original_median_shape_after_transp",
    "image_reader_writer",
    "transpose_forward",
    "transpose_backward",
    "configurations",
    "experiment_planner_used",
    "label_manager",
    "foreground_intensity_properties_per_channel",
)
_DATASET = (
    "channel_names",
    "labels",
    "regions_class_order",
    "numTraining",
    "file_ending",
    "overwrite_image_reader_writer",
    "name",
    "description",
    "reference",
    "licence",
    "license",
    "release",
)


def public_plans(plans: dict[str, Any]) -> dict[str, Any]:
    """The keys of the plans that stock nnU-Net uses; they name no path, no scan and no other dataset."""
    return {key: plans[key] for key in _PLANS if key in plans}


def public_dataset(dataset: dict[str, Any]) -> dict[str, Any]:
    """The keys of dataset.json that stock nnU-Net uses, and the dataset's description, reference and licence."""
    return {key: dataset[key] for key in _DATASET if key in dataset}


def check_trained(folder: Path, folds: Sequence[int], checkpoints: Sequence[str]) -> None:
    """Check that every checkpoint exists and is complete, before anything is written.

    Args:
        folder: folder of the trained model, in nnUNet_results.
        folds: numbers of the folds.
        checkpoints: file names.

    Raises:
        UserError: a fold was not trained, its training is not finished, or a file is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: train the model, or name another one with -tr, -p or -c")
    for fold in folds:
        where = folder / f"fold_{fold}"
        if not where.is_dir():
            trained = " ".join(sorted(path.name.removeprefix("fold_") for path in folder.glob("fold_*"))) or "none"
            raise UserError(f"{where} does not exist: train fold {fold}, or name others with -f (trained: {trained})")
        for name in checkpoints:
            file = where / name
            if not file.exists():
                written = " ".join(sorted(path.name for path in where.glob("*.pth"))) or "none"
                raise UserError(
                    f"{file} does not exist: let the training end (nnUNetv2_train --c), or name another checkpoint "
                    f"with -chk (written: {written})"
                )
            if not zipfile.is_zipfile(file):
                raise UserError(f"{file} is damaged: copy it again, or train again")


def has_exclusive_classes(network: nn.Module) -> bool:
    """Whether a network makes the regions that it predicts of classes that exclude each other (networks/regions.py)."""
    return hasattr(network, "regions")


def plain_network(plans: dict[str, Any], dataset: dict[str, Any], configuration: str) -> nn.Module:
    """The network that stock nnU-Net builds from public plans and dataset.json to predict with."""
    manager = PlansManager(plans)
    settings = manager.get_configuration(configuration)
    channels = determine_num_input_channels(manager, settings, dataset)
    heads = manager.get_label_manager(dataset).num_segmentation_heads
    return nnUNetTrainer.build_network_architecture(manager, settings, channels, heads, enable_deep_supervision=False)


def plain_checkpoint(predictor: nnUNetPredictor, configuration: str, fold: int) -> dict[str, Any]:
    """A checkpoint of the segmentation branch only: weights, names and mirroring axes.

    It has neither the atlases, which are patients' images, nor the encoders of other modalities, the optimizer and the
    log. ``torch.load(weights_only=True)`` reads it. ``nnUNetv2_train`` can start from it with
    ``-pretrained_weights``, but cannot continue its training.

    Args:
        predictor: nnU-Net's predictor with the trained model.
        configuration: its name in the plans.
        fold: number of the trained fold.

    Raises:
        UserError: the trained network has no U-Net as in the plans.
    """
    network = predictor.network
    plans, dataset = public_plans(predictor.plans_manager.plans), public_dataset(predictor.dataset_json)
    if has_exclusive_classes(network):  # for stock nnU-Net, there are no regions
        dataset = {**dataset, "labels": classes_of(dataset["labels"])}
        dataset.pop(ORDER, None)
    plain = plain_network(plans, dataset, configuration)
    try:
        plain.load_state_dict(network.plain_weights() if hasattr(network, "plain_weights") else network.state_dict())
    except RuntimeError:
        raise UserError(
            f"the network of {predictor.trainer_name} is no {type(plain).__name__} with a segmentation head: "
            f"only such models run without this package; share others by nnUNetv2_export_model_to_zip"
        ) from None
    return {
        "network_weights": plain.state_dict(),
        "trainer_name": TRAINER,
        "init_args": {"plans": plans, "configuration": configuration, "fold": fold, "dataset_json": dataset},
        "inference_allowed_mirroring_axes": predictor.allowed_mirroring_axes,
    }


def as_bytes(checkpoint: dict[str, Any]) -> bytes:
    """A checkpoint in torch's file format."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    return buffer.getvalue()


def write_zip(path: Path, entries: Iterable[tuple[str, str | bytes]]) -> None:
    """Write named contents into a zip, one after the other, completely or not at all."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
