"""The predictions of a trained model for one scan, by branch, and the registration of its best atlas."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from mass_nnunet.api.best_atlas import Registration, register_best
from mass_nnunet.api.loading import branches_of, predicting_by
from mass_nnunet.data.label_map import read_label_map
from mass_nnunet.data.volume import read_volume

from .figures import Frame


@dataclass(frozen=True)
class Explained:
    """A preprocessed scan with its predictions and its registration.

    Attributes:
        image: intensities (Z, Y, X).
        truth: labels (Z, Y, X); None if they are not known.
        predictions: labels (Z, Y, X) by branch.
        registration: registration of the most similar atlas; None for a model without atlases.
        frame: of the arrays.
    """

    image: np.ndarray
    truth: np.ndarray | None
    predictions: dict[str, np.ndarray]
    registration: Registration | None
    frame: Frame


def explain(predictor: nnUNetPredictor, images: Sequence[Path], truth: Path | None) -> Explained:
    """Predict a scan by every branch of a model, and register its atlases.

    Args:
        predictor: nnU-Net's predictor of the model.
        images: files of the scan, one for each channel.
        truth: file of its labels, if they are known.

    Raises:
        UserError: a file is no sound scan or label map, or a label has no name.
    """
    for file in images:
        read_volume(file)
    if truth is not None:
        read_label_map(truth, predictor.dataset_json["labels"])
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
    has_atlases = getattr(network, "atlases", None) is not None
    predictions = {}
    with torch.inference_mode():
        for branch in branches_of(network):
            with predicting_by(network, branch):
                logits = predictor.predict_sliding_window_return_logits(scan)  # (K, Z, Y, X), or of R regions
            predictions[branch] = predictor.label_manager.convert_logits_to_segmentation(logits.cpu()).numpy()
        reference = next(iter(predictions.values())) if known is None else known
        registration = register_best(network, scan, reference, configuration.patch_size) if has_atlases else None
    frame = Frame.of_model(predictor.plans_manager, configuration, predictor.dataset_json)
    return Explained(data[0], known, predictions, registration, frame)
