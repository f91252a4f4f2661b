"""A network in the course of a training labels preprocessed scans."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from mass_nnunet.networks.mass import MASSNet

from .base.stream import StreamTrainer


@contextmanager
def predicting(network: MASSNet, modality: int, inference: str) -> Iterator[None]:
    """For as long as it takes, a network in evaluation mode is one of this modality, and predicts by ``inference``."""
    before = network.active, network.inference
    network.active, network.inference = (modality,), inference
    try:
        yield
    finally:
        network.active, network.inference = before


def segmenter(stream: StreamTrainer, network: MASSNet, modality: int) -> Callable[[np.ndarray], np.ndarray]:
    """What makes labels (Z, Y, X) of preprocessed scans (C, Z, Y, X), by the head and nnU-Net's sliding window.

    Args:
        stream: of the modality.
        network: in evaluation mode, without deep supervision.
        modality: its index.
    """
    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=stream.device.type == "cuda",
        device=stream.device,
        allow_tqdm=False,
    )
    plans, configuration = stream.plans_manager, stream.configuration_manager
    predictor.manual_initialization(network, plans, configuration, None, stream.dataset_json, "", None)

    def segment(scan: np.ndarray) -> np.ndarray:
        with predicting(network, modality, "segmentation"):
            return predictor.predict_sliding_window_return_logits(torch.from_numpy(scan)).argmax(0).cpu().numpy()

    return segment
