"""What a trained model makes of one scan, branch by branch, and how its atlases are deformed to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from .errors import UserError
from .networks import MASSNet
from .patch import organ_box
from .registration import warp
from .similarity import local_correlation

BRANCHES = ("segmentation", "atlas", "fused")


class Registration(NamedTuple):
    """The atlas that matches a scan best, and its deformation; arrays on the grid of one patch.

    Attributes:
        atlas: intensities (Z, Y, X).
        target: of the scan.
        warped: the atlas on the scan's grid.
        field: displacements (3, Z, Y, X), components z, y, x, in voxels.
        atlas_labels: (Z, Y, X).
        warped_labels: probabilities (K, Z, Y, X).
        target_labels: (Z, Y, X), true ones where they are known, else predicted ones.
    """

    atlas: np.ndarray
    target: np.ndarray
    warped: np.ndarray
    field: np.ndarray
    atlas_labels: np.ndarray
    warped_labels: np.ndarray
    target_labels: np.ndarray


@dataclass(frozen=True)
class Explained:
    """One scan, preprocessed, and what a model makes of it.

    Attributes:
        image: intensities (Z, Y, X).
        truth: labels (Z, Y, X), None where there are none.
        predictions: labels (Z, Y, X) by branch.
        registration: None for a model without atlases.
        spacing: mm (Z, Y, X).
    """

    image: np.ndarray
    truth: np.ndarray | None
    predictions: dict[str, np.ndarray]
    registration: Registration | None
    spacing: tuple[float, float, float]


def load_model(folder: Path, fold: int, checkpoint: str, device: torch.device) -> nnUNetPredictor:
    """nnU-Net's predictor of a trained model, without mirroring.

    Raises:
        UserError: there is no such checkpoint.
    """
    file = folder / f"fold_{fold}" / checkpoint
    if not file.is_file():
        raise UserError(f"{file} does not exist: train the model, or name another one with -tr, -p, -c, -f or -chk")
    predictor = nnUNetPredictor(
        use_mirroring=False, perform_everything_on_device=False, device=device, allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(folder), (fold,), checkpoint)
    return predictor


def explain(predictor: nnUNetPredictor, images: Sequence[Path], truth: Path | None) -> Explained:
    """Predict a scan by every branch that the model has, and register its atlases.

    Args:
        predictor: of the model.
        images: files of the scan, one a channel.
        truth: file of its labels.
    """
    configuration, network = predictor.configuration_manager, predictor.network
    data, labels, _ = configuration.preprocessor_class(verbose=False).run_case(
        [str(file) for file in images],
        None if truth is None else str(truth),
        predictor.plans_manager,
        configuration,
        predictor.dataset_json,
    )
    scan = torch.from_numpy(data).float()  # (C, Z, Y, X)
    known = None if truth is None else np.maximum(labels[0], 0)
    has_atlases = isinstance(network, MASSNet) and network.correspondence is not None
    predictions = {}
    with torch.inference_mode():
        for branch in BRANCHES if has_atlases else BRANCHES[:1]:
            if has_atlases:
                network.inference = branch
            logits = predictor.predict_sliding_window_return_logits(scan)  # (K, Z, Y, X)
            predictions[branch] = logits.float().argmax(0).cpu().numpy()
        reference = predictions["segmentation"] if known is None else known
        registration = _register(network, scan, reference, configuration.patch_size) if has_atlases else None
    return Explained(data[0], known, predictions, registration, tuple(configuration.spacing))


def _register(network: MASSNet, scan: torch.Tensor, labels: np.ndarray, patch: Sequence[int]) -> Registration:
    """Deform the atlases to the patch around the organs of a scan (C, Z, Y, X), and take the most similar one."""
    box = organ_box(labels, patch)
    target = crop_and_pad_nd(scan, box, 0)[None].to(next(network.parameters()).device)
    fields = network.register(target)  # (A, 3, Z, Y, X)
    modality = network.active[0]
    atlases, atlas_labels = network.atlases.images_of(modality), network.atlases.labels_of(modality)
    warped = warp(atlases, fields)
    similarity = local_correlation(warped[:, :1], target[:, :1].expand(len(warped), -1, -1, -1, -1)).mean((1, 2, 3, 4))
    best = int(similarity.argmax())
    propagated = warp(atlas_labels[best : best + 1], fields[best : best + 1])[0]
    return Registration(
        *(volume[0].float().cpu().numpy() for volume in (atlases[best], target[0], warped[best])),
        fields[best].float().cpu().numpy(),
        atlas_labels[best].argmax(0).cpu().numpy(),
        propagated.float().cpu().numpy(),
        crop_and_pad_nd(labels[None], box, 0)[0],
    )
