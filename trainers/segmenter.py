"""A network in training segments scans of its own modalities."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from mass_nnunet.group_network import set_deep_supervision
from mass_nnunet.networks import MASSNet

from .stream import StreamTrainer


@contextmanager
def predicting(network: MASSNet, inference: str) -> Iterator[None]:
    """For as long as it takes, a network in training is one that predicts, by ``inference``."""
    before = network.active, network.inference
    deep_supervision = network.unets[0].decoder.deep_supervision
    network.inference = inference
    network.eval()
    set_deep_supervision(network, False)
    try:
        yield
    finally:
        network.active, network.inference = before
        network.train()
        set_deep_supervision(network, deep_supervision)


def segmenter(stream: StreamTrainer, network: MASSNet, modality: int) -> Callable[[np.ndarray], np.ndarray]:
    """What makes labels (Z, Y, X), int16, of preprocessed scans (C, Z, Y, X) of one modality, by nnU-Net's predictor.

    Args:
        stream: of the modality.
        network: within :func:`predicting`.
        modality: its index, of which the network is from now on.
    """
    network.active = (modality,)
    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=stream.device.type == "cuda",
        device=stream.device,
        allow_tqdm=False,
    )
    plans, configuration = stream.plans_manager, stream.configuration_manager
    predictor.manual_initialization(network, plans, configuration, None, stream.dataset_json, "", None)

    def segment(scan: np.ndarray) -> np.ndarray:
        logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(scan))
        return logits.argmax(0).short().cpu().numpy()

    return segment
