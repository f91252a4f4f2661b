"""Labels of preprocessed scans by a network that is still in training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from mass_nnunet.labels import ELSEWHERE
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.training.loaders import UnlabelledDataset

from .base.dataset import DatasetTrainer
from .base.finite import check_scan


@contextmanager
def predicting(network: MASSNet, modality: int, inference: str, device: torch.device) -> Iterator[None]:
    """Set a network in evaluation mode to one modality and one inference inside the block.

    As in nnU-Net's prediction, there are no gradients, and a GPU computes in half precision.
    """
    before = network.active, network.inference
    network.active, network.inference = (modality,), inference
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=device.type == "cuda"):
            yield
    finally:
        network.active, network.inference = before


def segmenter(trainer: DatasetTrainer, network: MASSNet, modality: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that segments a preprocessed scan (C, Z, Y, X) by the head, with nnU-Net's sliding window.

    It returns labels (Z, Y, X).

    Args:
        trainer: of the modality's dataset.
        network: in evaluation mode, without deep supervision.
        modality: its index.
    """
    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=trainer.device.type == "cuda",
        device=trainer.device,
        allow_tqdm=False,
    )
    plans, configuration = trainer.plans_manager, trainer.configuration_manager
    content = trainer.dataset_json | {"labels": trainer.label_manager.label_dict}  # classes, not regions
    predictor.manual_initialization(network, plans, configuration, None, content, "", None)

    def segment(scan: np.ndarray) -> np.ndarray:
        with predicting(network, modality, "segmentation", trainer.device):
            return predictor.predict_sliding_window_return_logits(torch.from_numpy(scan)).argmax(0).cpu().numpy()

    return segment


def find_organs(
    segment: Callable[[np.ndarray], np.ndarray], scans: UnlabelledDataset, case: str
) -> tuple[np.ndarray, np.ndarray]:
    """An unlabelled scan (C, Z, Y, X), and the labels (Z, Y, X) that a network finds in it where organs can be.

    Args:
        segment: a :func:`segmenter`.
        scans: the unlabelled scans of the modality.
        case: one of them.

    Raises:
        SystemExit: a voxel of the scan is not finite, in one line.
    """
    scan = scans.load_case(case)[0][:]
    check_scan(scan, case)
    return scan, segment(scan) * (scans.labels_of(case)[0] != ELSEWHERE)
