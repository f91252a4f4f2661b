"""Labels that the atlases of a model in training propagate to its unlabelled scans."""

from collections.abc import Iterator
from contextlib import contextmanager

import blosc2
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from tqdm import tqdm

from mass_nnunet.files import atomic_path
from mass_nnunet.group_network import set_deep_supervision
from mass_nnunet.networks import MASSNet

from .stream import StreamTrainer


def propagate_labels(streams: list[StreamTrainer], network: MASSNet, part: slice = slice(None)) -> None:
    """Let the atlases segment the unlabelled scans, and write what they say; what is there already stays.

    Args:
        streams: of all modalities, in the network's order.
        network: in training; it is so again afterwards.
        part: of each modality's scans, in the order of their names: the share of this process.

    Raises:
        OSError: a file cannot be written; it names it.
    """
    with _atlases_predict(network):
        for modality, stream in enumerate(streams):
            network.active = (modality,)
            predictor = nnUNetPredictor(
                use_mirroring=False,
                perform_everything_on_device=stream.device.type == "cuda",
                device=stream.device,
                allow_tqdm=False,
            )
            plans, configuration = stream.plans_manager, stream.configuration_manager
            predictor.manual_initialization(network, plans, configuration, None, stream.dataset_json, "", None)
            scans = stream.hidden_scans()
            for case in tqdm(scans.identifiers[part], desc=f"labels propagated in {plans.dataset_name}"):
                file = scans.file_of(case)
                if file.is_file():
                    continue
                scan = torch.from_numpy(scans.load_case(case)[0][:])
                labels = predictor.predict_sliding_window_return_logits(scan).argmax(0, keepdim=True)
                with atomic_path(file) as temporary:
                    blosc2.asarray(labels.short().cpu().numpy(), urlpath=str(temporary), mode="w")


@contextmanager
def _atlases_predict(network: MASSNet) -> Iterator[None]:
    """For as long as it takes, the network is one that predicts by its atlases."""
    before = network.active, network.inference
    deep_supervision = network.unets[0].decoder.deep_supervision
    network.inference = "atlas"
    network.eval()
    set_deep_supervision(network, False)
    try:
        yield
    finally:
        network.active, network.inference = before
        network.train()
        set_deep_supervision(network, deep_supervision)
